"""Layers, by Keras's names."""

from typing import Any

from keryx import lazy
from keryx.core import codec
from keryx.layers.activation import ELU as ELU
from keryx.layers.activation import LeakyReLU as LeakyReLU
from keryx.layers.activation import PReLU as PReLU
from keryx.layers.activation import ReLU as ReLU
from keryx.layers.activation import Softmax as Softmax
from keryx.layers.attention.multi_head import AdditiveAttention as AdditiveAttention
from keryx.layers.attention.multi_head import Attention as Attention
from keryx.layers.attention.multi_head import MultiHeadAttention as MultiHeadAttention
from keryx.layers.convolutional.convolution import Conv1D as Conv1D
from keryx.layers.convolutional.convolution import Conv2D as Conv2D
from keryx.layers.convolutional.convolution import Conv3D as Conv3D
from keryx.layers.convolutional.separable import DepthwiseConv1D as DepthwiseConv1D
from keryx.layers.convolutional.separable import DepthwiseConv2D as DepthwiseConv2D
from keryx.layers.convolutional.separable import SeparableConv1D as SeparableConv1D
from keryx.layers.convolutional.separable import SeparableConv2D as SeparableConv2D
from keryx.layers.convolutional.transposed import Conv1DTranspose as Conv1DTranspose
from keryx.layers.convolutional.transposed import Conv2DTranspose as Conv2DTranspose
from keryx.layers.convolutional.transposed import Conv3DTranspose as Conv3DTranspose
from keryx.layers.core import Activation as Activation
from keryx.layers.core import Dense as Dense
from keryx.layers.core import Identity as Identity
from keryx.layers.core import Lambda as Lambda
from keryx.layers.core import Masking as Masking
from keryx.layers.einsum_dense import EinsumDense as EinsumDense
from keryx.layers.embedding import Embedding as Embedding
from keryx.layers.embedding import ReversibleEmbedding as ReversibleEmbedding
from keryx.layers.input import Input as Input
from keryx.layers.input import InputLayer as InputLayer
from keryx.layers.layer import InputSpec as InputSpec
from keryx.layers.layer import Layer as Layer
from keryx.layers.layer import registry
from keryx.layers.merging import Add as Add
from keryx.layers.merging import Average as Average
from keryx.layers.merging import Concatenate as Concatenate
from keryx.layers.merging import Dot as Dot
from keryx.layers.merging import Maximum as Maximum
from keryx.layers.merging import Minimum as Minimum
from keryx.layers.merging import Multiply as Multiply
from keryx.layers.merging import Subtract as Subtract
from keryx.layers.merging import add as add
from keryx.layers.merging import average as average
from keryx.layers.merging import concatenate as concatenate
from keryx.layers.merging import dot as dot
from keryx.layers.merging import maximum as maximum
from keryx.layers.merging import minimum as minimum
from keryx.layers.merging import multiply as multiply
from keryx.layers.merging import subtract as subtract
from keryx.layers.normalization.batch import BatchNormalization as BatchNormalization
from keryx.layers.normalization.features import GroupNormalization as GroupNormalization
from keryx.layers.normalization.features import LayerNormalization as LayerNormalization
from keryx.layers.normalization.features import RMSNormalization as RMSNormalization
from keryx.layers.normalization.features import UnitNormalization as UnitNormalization
from keryx.layers.pooling.global_pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from keryx.layers.pooling.global_pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from keryx.layers.pooling.global_pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from keryx.layers.pooling.global_pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from keryx.layers.pooling.global_pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from keryx.layers.pooling.global_pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from keryx.layers.pooling.windows import AveragePooling1D as AveragePooling1D
from keryx.layers.pooling.windows import AveragePooling2D as AveragePooling2D
from keryx.layers.pooling.windows import AveragePooling3D as AveragePooling3D
from keryx.layers.pooling.windows import MaxPooling1D as MaxPooling1D
from keryx.layers.pooling.windows import MaxPooling2D as MaxPooling2D
from keryx.layers.pooling.windows import MaxPooling3D as MaxPooling3D
from keryx.layers.recurrent import GRU as GRU
from keryx.layers.recurrent import LSTM as LSTM
from keryx.layers.recurrent import RNN as RNN
from keryx.layers.recurrent import GRUCell as GRUCell
from keryx.layers.recurrent import LSTMCell as LSTMCell
from keryx.layers.recurrent import SimpleRNN as SimpleRNN
from keryx.layers.recurrent import SimpleRNNCell as SimpleRNNCell
from keryx.layers.recurrent import StackedRNNCells as StackedRNNCells
from keryx.layers.regularization import ActivityRegularization as ActivityRegularization
from keryx.layers.regularization import AlphaDropout as AlphaDropout
from keryx.layers.regularization import Dropout as Dropout
from keryx.layers.regularization import GaussianDropout as GaussianDropout
from keryx.layers.regularization import GaussianNoise as GaussianNoise
from keryx.layers.regularization import SpatialDropout1D as SpatialDropout1D
from keryx.layers.regularization import SpatialDropout2D as SpatialDropout2D
from keryx.layers.regularization import SpatialDropout3D as SpatialDropout3D
from keryx.layers.reshaping import Cropping1D as Cropping1D
from keryx.layers.reshaping import Cropping2D as Cropping2D
from keryx.layers.reshaping import Cropping3D as Cropping3D
from keryx.layers.reshaping import Flatten as Flatten
from keryx.layers.reshaping import Permute as Permute
from keryx.layers.reshaping import RepeatVector as RepeatVector
from keryx.layers.reshaping import Reshape as Reshape
from keryx.layers.reshaping import UpSampling1D as UpSampling1D
from keryx.layers.reshaping import UpSampling2D as UpSampling2D
from keryx.layers.reshaping import UpSampling3D as UpSampling3D
from keryx.layers.reshaping import ZeroPadding1D as ZeroPadding1D
from keryx.layers.reshaping import ZeroPadding2D as ZeroPadding2D
from keryx.layers.reshaping import ZeroPadding3D as ZeroPadding3D
from keryx.layers.wrappers import Bidirectional as Bidirectional
from keryx.layers.wrappers import TimeDistributed as TimeDistributed
from keryx.layers.wrappers import Wrapper as Wrapper

# Other names that Keras has for some of them.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Convolution3DTranspose = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D


def serialize(layer: Layer) -> dict:
    """The layer as plain data."""
    return codec.serialize(layer)


def deserialize(config: dict, custom_objects: dict | None = None) -> Layer:
    """The layer or model that `serialize` wrote down, or Keras.

    >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
    3
    """
    return codec.deserialize(config, registry, custom_objects)


def _elsewhere(name: str) -> Any:
    from keryx import old_words

    return old_words.layer_class(name, __dir__())


# Families that most programs do without, by module.
_LATER: dict[str, str] = {
    "keryx.layers.preprocessing": "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup Normalization "
    "StringLookup TextVectorization",
    "keryx.layers.image.bending": "RandomElasticTransform RandomPerspective",
    "keryx.layers.image.color": "RandomColorDegeneration RandomColorJitter RandomGrayscale RandomHue RandomSaturation",
    "keryx.layers.image.hiding": "RandomErasing RandomGaussianBlur RandomSharpness",
    "keryx.layers.image.histograms": "AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization",
    "keryx.layers.image.light": "RandomBrightness RandomContrast RandomInvert RandomPosterization Solarization",
    "keryx.layers.image.mixing": "CutMix MixUp",
    "keryx.layers.image.moving": "RandomFlip RandomRotation RandomShear RandomTranslation RandomZoom",
    "keryx.layers.image.pipeline": "MaxNumBoundingBoxes Pipeline",
    "keryx.layers.image.policies": "AugMix RandAugment",
    "keryx.layers.image.sizes": "CenterCrop RandomCrop Rescaling Resizing",
    "keryx.layers.sound": "MelSpectrogram STFTSpectrogram",
    "keryx.layers.pooling.adaptive": "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
    "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D",
    "keryx.layers.attention.grouped": "GroupQueryAttention GroupedQueryAttention",
    "keryx.layers.foreign.jax_layer": "FlaxLayer JaxLayer",
    "keryx.layers.foreign.jax_modules": "from_equinox from_nnx",
    "keryx.layers.recurrent.conv_lstm": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    "keryx.layers.normalization.spectral": "SpectralNormalization",
}
registry.homes.update(lazy.home_of(_LATER) | {"Distiller": "keryx.distillation.distiller"})
__getattr__, __dir__ = lazy.exports(__name__, _LATER, _elsewhere)
