"""Images, drawn and shown, by Keras's names; `model` draws models, `curves` what `fit` has told."""

from keryx.visualization.drawing import draw_bounding_boxes as draw_bounding_boxes
from keryx.visualization.drawing import draw_segmentation_masks as draw_segmentation_masks
from keryx.visualization.gallery import plot_bounding_box_gallery as plot_bounding_box_gallery
from keryx.visualization.gallery import plot_image_gallery as plot_image_gallery
from keryx.visualization.gallery import plot_segmentation_mask_gallery as plot_segmentation_mask_gallery
