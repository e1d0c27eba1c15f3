"""Images as files and arrays."""

from keryx.utils.images import array_to_img as array_to_img
from keryx.utils.images import img_to_array as img_to_array
from keryx.utils.images import load_img as load_img
from keryx.utils.images import save_img as save_img
from keryx.utils.images import smart_resize as smart_resize
