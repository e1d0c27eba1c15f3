"""Boxes around things in images: their formats, how they move with the images, and how far two of them overlap."""

from keryx.ops.bounding_boxes import affine_transform as affine_transform
from keryx.ops.bounding_boxes import clip_to_image_size as clip_to_image_size
from keryx.ops.bounding_boxes import compute_ciou as compute_ciou
from keryx.ops.bounding_boxes import compute_iou as compute_iou
from keryx.ops.bounding_boxes import convert_format as convert_format
from keryx.ops.bounding_boxes import crop as crop
from keryx.ops.bounding_boxes import decode_deltas_to_boxes as decode_deltas_to_boxes
from keryx.ops.bounding_boxes import encode_box_to_deltas as encode_box_to_deltas
from keryx.ops.bounding_boxes import pad as pad
