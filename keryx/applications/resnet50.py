"""ResNet50 under Keras's name of its module."""

from keryx.applications.resnet import ResNet50 as ResNet50
from keryx.applications.resnet import decode_predictions as decode_predictions
from keryx.applications.resnet import preprocess_input as preprocess_input
