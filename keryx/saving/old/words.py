"""What Keras 1 and 2 called things, as tables: classes, arguments, values. Most arguments are in `old_words`."""

from typing import Any

# What a class was called -> what it is called now, where only the name has changed.
CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "GRUCellV2": "GRUCell",
    "GRUV2": "GRU",
    "LSTMCellV2": "LSTMCell",
    "LSTMV2": "LSTM",
    "Model": "Functional",
    "Policy": "DTypePolicy",
    "PolicyV1": "DTypePolicy",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "ThresholdedReLU": "ReLU",
    "TimeDistributedDense": "Dense",
    # Regularizers and constraints, which Keras 1 named in the config itself
    "L1Regularizer": "L1",
    "L2Regularizer": "L2",
    "L1L2Regularizer": "L1L2",
    "WeightRegularizer": "L1L2",
    "ActivityRegularizer": "L1L2",
    "l1l2": "L1L2",
    "maxnorm": "MaxNorm",
    "nonneg": "NonNeg",
    "unitnorm": "UnitNorm",
}

# Layers of Keras 1 that merged: the mode -> the class of today. Others have none that computes the same.
MERGES = {
    "ave": "Average",
    "concat": "Concatenate",
    "dot": "Dot",
    "max": "Maximum",
    "mul": "Multiply",
    "sum": "Add",
}

# Arguments whose word is not in `old_words.LAYERS`, or means something else in a config: by class, in any class.
ARGUMENTS: dict[str, dict[str, str]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "PReLU": {"init": "alpha_initializer"},
    "ReLU": {"theta": "threshold"},
    "MaxNorm": {"m": "max_value"},
    "MinMaxNorm": {"low": "min_value", "high": "max_value"},
    "RandomNormal": {"sigma": "stddev"},
    "UpSampling1D": {"length": "size"},
    "InputLayer": {"batch_input_shape": "batch_shape", "input_dtype": "dtype"},
    "Orthogonal": {"scale": "gain"},
    "LossScaleOptimizer": {"optimizer": "inner_optimizer", "dynamic_growth_steps": "dynamic_growth_steps"},
}

# Arguments that say how a thing was computed, not what: they are left aside, whatever they say.
ASIDE = frozenset(
    """batch_size consume_less fn fused implementation input_dim input_dtype input_length is_legacy_optimizer
    jit_compile key_shape nb_feature query_shape schedule_decay value_shape weights""".split()  # noqa: SIM905
)

# The same, of one class: what it had of the class above it, and did not use.
_OF_THE_KERNEL = frozenset({"kernel_initializer", "kernel_regularizer", "kernel_constraint", "filters"})
ASIDE_OF = {
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _OF_THE_KERNEL - {"filters"}),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _OF_THE_KERNEL),
}

# The sides of a padding, which Keras 1 also took in a dict, and those of an image in one row.
SIDES = {
    "ZeroPadding1D": (("left_pad", "right_pad"),),
    "ZeroPadding2D": (("top_pad", "bottom_pad"), ("left_pad", "right_pad")),
}

# What asks for nothing where today's class has no such argument; so do None, False, 0 and what is empty.
USUAL = {"groups": 1, "depth_multiplier": 1, "data_format": "channels_last", "time_major": False}

# What a class took where its config says nothing, as long as that was not what it takes today.
DEFAULTS: dict[str, dict[str, Any]] = {
    "GRU": {"reset_after": False},
    "GRUCell": {"reset_after": False},
    "CuDNNGRU": {"reset_after": True},
}

# Values, by the argument of today that they belong to.
VALUES: dict[str, dict[Any, Any]] = {
    "data_format": {"th": "channels_first", "tf": "channels_last", "default": None},
    "unit_forget_bias": {"one": True, "ones": True, "zero": False, "zeros": False},
    "reduction": {"auto": "sum_over_batch_size"},
}

# Functions that have kept their name and changed their numbers, or the other way round.
FUNCTIONS = {
    "hard_sigmoid": "old_hard_sigmoid",
    "softplus_v2": "softplus",
    "softmax_v2": "softmax",
    "swish": "silu",
    "leaky_relu_v2": "leaky_relu",
}
