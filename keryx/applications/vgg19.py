"""VGG19, of the family of VGG16."""

from keryx.applications.vgg16 import decode_predictions as decode_predictions
from keryx.applications.vgg16 import preprocess_input as preprocess_input
from keryx.applications.vgg16 import vgg

VGG19 = vgg(19, (2, 2, 4, 4, 4), "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")
