"""Images resized, cut, moved, filtered and measured, and their colors: Keras's `ops.image`.

Images are (batch, height, width, channels), or one image without the batch axis; with `data_format="channels_first"`
the channels stand before the height.
"""

from keryx.ops.image.color import hsv_to_rgb as hsv_to_rgb
from keryx.ops.image.color import rgb_to_grayscale as rgb_to_grayscale
from keryx.ops.image.color import rgb_to_hsv as rgb_to_hsv
from keryx.ops.image.filters import gaussian_blur as gaussian_blur
from keryx.ops.image.filters import sobel_edges as sobel_edges
from keryx.ops.image.filters import ssim as ssim
from keryx.ops.image.sizes import crop_images as crop_images
from keryx.ops.image.sizes import extract_patches as extract_patches
from keryx.ops.image.sizes import extract_patches_3d as extract_patches_3d
from keryx.ops.image.sizes import pad_images as pad_images
from keryx.ops.image.sizes import resize as resize
from keryx.ops.image.sizes import scale_and_translate as scale_and_translate
from keryx.ops.image.warping import affine_transform as affine_transform
from keryx.ops.image.warping import elastic_transform as elastic_transform
from keryx.ops.image.warping import map_coordinates as map_coordinates
from keryx.ops.image.warping import perspective_transform as perspective_transform
