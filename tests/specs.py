"""The table of layers that tests/test_specs.py checks, one row a way to use a layer.

A new layer is a new row: append to SPECS (or add a list to it), and every invariant is checked.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from specs_image import IMAGES
from specs_more import MORE
from specs_tables import TABLES


@dataclass(frozen=True, eq=False)
class Spec:
    """A layer, its arguments, and what it is called on.

    Attributes:
        layer: The name of its class, in keryx.layers and in keras.layers.
        init: The arguments of its class, in values that both libraries take: names, numbers, functions.
        inputs: The shape of the input with its batch axis; a list of shapes calls the layer on a list.
        input_dtype: Floats are drawn from a normal distribution, integers from 0 to 4.
        call: More arguments of the call, arrays among them.
        separate: Whether a list of inputs is handed over as separate arguments.
        masks: The masks that travel beside the inputs, one an input, each an array or None.
        padding: What the last step, and one feature of the first, hold; None leaves them random.
        unknown: Axes of the first input, beside the batch axis, whose size may be None.
        training: Whether the layer runs as in training.
        oracle: Whether Keras gives the same numbers; False for what is random.
        gradient: Whether there are gradients to compare.
        config: Whether its arguments can be written down.
        bfloat16: How far a mixed_bfloat16 layer may be off; None does not try.
    """

    layer: str
    init: dict[str, Any]
    inputs: Any
    input_dtype: str = "float32"
    call: dict[str, Any] = field(default_factory=dict)
    separate: bool = False
    masks: list[Any] | None = None
    padding: float | None = None
    unknown: tuple[int, ...] = ()
    training: bool = False
    oracle: bool = True
    gradient: bool = True
    config: bool = True
    bfloat16: float | None = 0.1

    def __str__(self):
        told = {name: "function" if callable(value) else value for name, value in self.init.items()}
        words = [f"{name}={value}" for name, value in (told | dict.fromkeys(self.call, "...")).items()]
        words += ["training"] * self.training + ["masked"] * (self.masks is not None)
        return f"{self.layer}({', '.join(words)})".replace(" ", "")


def row(layer, inputs, *, init=None, **options):
    """A Spec whose arguments of the class are in `init` and those of the Spec in `options`."""
    return Spec(layer, init or {}, inputs, **options)


STEPS = np.array([[1, 1, 0], [1, 0, 0]], bool)  # a mask (batch, time)
OTHER = np.array([[0, 1, 1], [1, 1, 0]], bool)
X2, X3, X4, X5 = (2, 3), (2, 3, 4), (2, 5, 6, 3), (2, 4, 5, 4, 2)
PENALTIES = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l2"}

CORE = [
    row("Dense", (2, 3), init={"units": 4}),
    row(
        "Dense",
        X3,
        init={"units": 2, "activation": "tanh", "bias_initializer": "ones", **PENALTIES},
        unknown=(1,),
    ),
    row("Dense", (2, 3), init={"units": 4, "use_bias": False, "kernel_constraint": "non_neg"}),
    row("Activation", X3, init={"activation": "sigmoid"}, masks=[STEPS], unknown=(1, 2)),
    row("Identity", X3, masks=[STEPS]),
    row("Masking", X3, padding=0.0, unknown=(1,)),
    row("Masking", X3, init={"mask_value": 1.0}, padding=1.0),
    row("Lambda", X3, init={"function": lambda x: x[:, 0] ** 2}, config=False),
    row("Lambda", X3, init={"function": lambda x, scale: x * scale, "arguments": {"scale": 2.0}}, config=False),
    row(
        "Lambda",
        X3,
        init={
            "function": lambda x, mask: x if mask is None else x * mask[..., None],
            "mask": lambda x, mask: mask,
        },
        masks=[STEPS],
        config=False,
        unknown=(1,),
    ),
    row("Embedding", (2, 3), init={"input_dim": 5, "output_dim": 4}, input_dtype="int32", unknown=(1,)),
    row("Embedding", (2, 3), init={"input_dim": 5, "output_dim": 4, "mask_zero": True}, input_dtype="int32"),
    row("Embedding", (2, 3), init={"input_dim": 5, "output_dim": 4}, input_dtype="uint8"),
    row("EinsumDense", X3, init={"equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"}),
    row(
        "EinsumDense",
        X3,
        init={"equation": "...x,xy->...y", "output_shape": 5, "bias_axes": "y"},
        unknown=(1,),
    ),
    row("EinsumDense", X3, init={"equation": "ab...,bc->ac...", "output_shape": (5,), "bias_axes": "c"}),
    row(
        "EinsumDense",
        X3,
        init={"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "activation": "relu"},
    ),
    row("EinsumDense", X3, init={"equation": "abc,bcd->ad", "output_shape": 2, "kernel_regularizer": "l2"}),
]

ACTIVATIONS = [
    row("ReLU", X3, masks=[STEPS]),
    row("ReLU", X3, init={"max_value": 0.8, "negative_slope": 0.1, "threshold": 0.2}),
    row("LeakyReLU", X3),
    row("LeakyReLU", X3, init={"negative_slope": 0.1}, masks=[STEPS]),
    row("PReLU", X3, init={"alpha_regularizer": "l2"}),
    row("PReLU", X4, init={"shared_axes": [1, 2]}, unknown=(1, 2)),
    row("PReLU", X3, init={"shared_axes": 1}),
    row("ELU", X3, init={"alpha": 0.5}, masks=[STEPS]),
    row("Softmax", X3, unknown=(1,)),
    row("Softmax", X3, init={"axis": 1}),
    row("Softmax", X3, init={"axis": [1, 2]}),
    row("Softmax", (2, 3), call={"mask": np.array([[1, 1, 0], [0, 0, 0]], bool)}),
]

RESHAPING = [
    row("Flatten", X4, unknown=(1,)),
    row("Flatten", X4, init={"data_format": "channels_first"}),
    row("Flatten", (2,)),
    row("Reshape", X3, init={"target_shape": (4, 3)}),
    row("Reshape", X3, init={"target_shape": (-1, 2)}, unknown=(1,)),
    row("Reshape", X3, init={"target_shape": (2, -1, 3)}),
    row("Permute", X4, init={"dims": (3, 1, 2)}, unknown=(1, 2)),
    row("RepeatVector", X2, init={"n": 4}),
    row("ZeroPadding1D", X3, init={"padding": 2}, unknown=(1,)),
    row("ZeroPadding1D", X3, init={"padding": (0, 3), "data_format": "channels_first"}),
    row("ZeroPadding2D", X4),
    row("ZeroPadding2D", X4, init={"padding": (1, 2)}, unknown=(1, 2)),
    row("ZeroPadding2D", X4, init={"padding": ((1, 0), (2, 3)), "data_format": "channels_first"}),
    row("ZeroPadding3D", X5, init={"padding": ((1, 0), (2, 3), (0, 1))}),
    row("ZeroPadding3D", X5, init={"padding": 1, "data_format": "channels_first"}),
    row("Cropping1D", X3, init={"cropping": 1}, unknown=(1,)),
    row("Cropping1D", X3, init={"cropping": (0, 2)}),
    row("Cropping2D", X4, init={"cropping": (1, 2)}),
    row("Cropping2D", X4),
    row("Cropping2D", X4, init={"cropping": ((1, 0), (0, 2)), "data_format": "channels_first"}),
    row("Cropping3D", X5),
    row("Cropping3D", X5, init={"cropping": ((1, 0), (0, 2), (0, 0)), "data_format": "channels_first"}),
    row("UpSampling1D", X3, init={"size": 3}, unknown=(1,)),
    row("UpSampling2D", X4, init={"size": (2, 3)}, unknown=(1, 2)),
    row("UpSampling2D", X4, init={"data_format": "channels_first"}),
    row("UpSampling2D", X4, init={"interpolation": "bilinear"}),
    row("UpSampling2D", X4, init={"interpolation": "bicubic", "data_format": "channels_first"}),
    row("UpSampling2D", X4, init={"interpolation": "lanczos3"}),
    row("UpSampling3D", X5, init={"size": (1, 2, 3)}),
    row("UpSampling3D", X5, init={"data_format": "channels_first"}),
]

REGULARIZATION = [
    *(
        row(layer, shape, init=init, training=training, oracle=not training, masks=masks, unknown=(1,))
        for layer, shape, init, masks in [
            ("Dropout", X3, {"rate": 0.5}, [STEPS]),
            ("Dropout", X3, {"rate": 0.5, "noise_shape": (None, 1, None), "seed": 3}, None),
            ("SpatialDropout1D", X3, {"rate": 0.5}, [STEPS]),
            ("SpatialDropout2D", X4, {"rate": 0.5}, None),
            ("SpatialDropout2D", X4, {"rate": 0.5, "data_format": "channels_first"}, None),
            ("SpatialDropout3D", X5, {"rate": 0.5}, None),
            ("GaussianDropout", X3, {"rate": 0.3}, [STEPS]),
            ("GaussianNoise", X3, {"stddev": 0.3}, [STEPS]),
            ("AlphaDropout", X3, {"rate": 0.3, "noise_shape": (None, 1, None)}, [STEPS]),
        ]
        for training in (False, True)
    ),
    row("Dropout", X3, init={"rate": 0}, training=True),
    row("ActivityRegularization", X3, init={"l1": 0.1, "l2": 0.2}, masks=[STEPS]),
]

CONVOLUTION = [
    row("Conv1D", (2, 7, 3), init={"filters": 4, "kernel_size": 3}, unknown=(1,)),
    row("Conv1D", (2, 7, 3), init={"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
    row(
        "Conv1D",
        (2, 7, 3),
        init={"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, **PENALTIES},
    ),
    row(
        "Conv1D",
        (2, 4, 7),
        init={"filters": 4, "kernel_size": 2, "groups": 2, "data_format": "channels_first"},
    ),
    row("Conv2D", X4, init={"filters": 4, "kernel_size": (3, 2), "activation": "relu"}, unknown=(1, 2)),
    row("Conv2D", X4, init={"filters": 4, "kernel_size": 3, "padding": "same", "strides": (2, 1)}),
    row("Conv2D", X4, init={"filters": 6, "kernel_size": 2, "groups": 3, "use_bias": False}),
    row("Conv2D", X4, init={"filters": 2, "kernel_size": 2, "dilation_rate": (2, 3)}),
    row(
        "Conv2D",
        X4,
        init={"filters": 2, "kernel_size": 2, "padding": "same", "data_format": "channels_first"},
    ),
    row("Conv3D", X5, init={"filters": 2, "kernel_size": 2, "strides": (1, 2, 1)}),
    row(
        "Conv3D",
        X5,
        init={"filters": 2, "kernel_size": 2, "padding": "same", "data_format": "channels_first"},
    ),
    row("DepthwiseConv1D", (2, 7, 3), init={"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}),
    row(
        "DepthwiseConv2D",
        X4,
        init={"kernel_size": 2, "strides": 2, "depthwise_regularizer": "l2"},
        unknown=(1, 2),
    ),
    row("DepthwiseConv2D", X4, init={"kernel_size": 2, "dilation_rate": 2, "data_format": "channels_first"}),
    row(
        "SeparableConv1D",
        (2, 7, 3),
        init={"filters": 4, "kernel_size": 3, "strides": 2, "depth_multiplier": 2},
    ),
    row("SeparableConv2D", X4, init={"filters": 4, "kernel_size": 2, "padding": "same", "use_bias": False}),
    row("SeparableConv2D", X4, init={"filters": 4, "kernel_size": 2, "data_format": "channels_first"}),
    *(
        row(f"Conv{rank}DTranspose", shape, init={"filters": 2, "kernel_size": 3} | init, unknown=(1,))
        for rank, shape, init in [
            (1, (2, 5, 3), {}),
            (1, (2, 5, 3), {"strides": 4, "padding": "same"}),
            (1, (2, 5, 3), {"strides": 2, "padding": "same", "output_padding": 1}),
            (2, X4, {"strides": 2}),
            (2, X4, {"strides": (2, 4), "output_padding": (1, 0), **PENALTIES}),
            (2, X4, {"dilation_rate": 2, "padding": "same", "activation": "relu"}),
            (3, X5, {"strides": (1, 2, 1), "padding": "same"}),
        ]
    ),
    row(
        "Conv2DTranspose",
        X4,
        init={"filters": 2, "kernel_size": 2, "strides": 3, "data_format": "channels_first"},
    ),
]

POOLING = [
    *(
        row(f"{kind}Pooling{rank}D", shape, init=init, unknown=(1,) if "data_format" not in init else ())
        for kind in ("Max", "Average")
        for rank, shape, init in [
            (1, (2, 7, 3), {"pool_size": 2}),
            (1, (2, 7, 3), {"pool_size": 3, "strides": 2, "padding": "same"}),
            (1, (2, 3, 7), {"pool_size": 2, "strides": 1, "data_format": "channels_first"}),
            (2, X4, {"pool_size": (2, 3)}),
            (2, X4, {"pool_size": 3, "strides": (2, 1), "padding": "same"}),
            (2, X4, {"pool_size": 2, "padding": "same", "data_format": "channels_first"}),
            (3, X5, {"pool_size": 2}),
            (3, X5, {"pool_size": (2, 3, 1), "strides": 1, "padding": "same"}),
        ]
    ),
    *(
        row(f"Global{kind}Pooling{rank}D", shape, init=init, unknown=(1,))
        for kind in ("Max", "Average")
        for rank, shape in ((1, X3), (2, X4), (3, X5))
        for init in ({}, {"keepdims": True}, {"data_format": "channels_first"})
    ),
    row("GlobalAveragePooling1D", X3, masks=[STEPS]),
    row("GlobalAveragePooling1D", (2, 4, 3), init={"data_format": "channels_first"}, call={"mask": STEPS}),
    row("GlobalAveragePooling1D", X3, init={"keepdims": True}, call={"mask": STEPS}),
]

MERGING = [
    *(
        row(layer, shapes, masks=masks, bfloat16=0.2)
        for layer in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
        for shapes, masks in [
            ([X3, X3], None),
            ([X3, (2, 1, 4)], None),
            ([(2, 4), X3], None),
            ([X3, X3], [STEPS, OTHER]),
            ([X3, X3], [STEPS, None]),
            *([] if layer == "Subtract" else [([X2, X2, X2], None)]),
        ]
    ),
    row("Maximum", [X3, X3], masks=[None, OTHER]),
    row("Maximum", [X3, X3, X3], masks=[STEPS, OTHER, STEPS]),
    row("Concatenate", [X3, X3]),
    row("Concatenate", [X3, (2, 5, 4)], init={"axis": 1}),
    row("Concatenate", [X3, (2, 3, 1), X3], masks=[STEPS, None, OTHER]),
    row("Concatenate", [X3, X3], init={"axis": 1}, masks=[STEPS, OTHER]),
    row("Dot", [X2, X2], init={"axes": 1}),
    row("Dot", [X3, X3], init={"axes": (1, 1)}, masks=[STEPS, OTHER]),
    row("Dot", [X3, (2, 4, 5)], init={"axes": (2, 1)}),
    row("Dot", [X3, (2, 5, 4)], init={"axes": -1, "normalize": True}),
    row("Dot", [(2, 4), X3], init={"axes": (1, 2)}),
    row("Dot", [(2, 3, 5, 4), (2, 6, 4)], init={"axes": (3, 2)}, bfloat16=0.3),
]

_AFFINE = {"gamma_regularizer": "l2", "beta_regularizer": "l1"}
NORMALIZATION = [
    row("BatchNormalization", X3, masks=[STEPS]),
    row("BatchNormalization", X4, training=True, unknown=(1, 2)),
    row("BatchNormalization", X3, init={"axis": 1, "momentum": 0.9, "epsilon": 0.1, **_AFFINE}, training=True),
    row("BatchNormalization", (6, 3), init={"center": False, "scale": False}, training=True),
    row("BatchNormalization", X3, masks=[STEPS], training=True),
    row("BatchNormalization", X3, init={"trainable": False}, training=True, gradient=False),
    row("LayerNormalization", X3, masks=[STEPS], unknown=(1,)),
    row("LayerNormalization", X3, init={"axis": [1, 2], "epsilon": 0.1, **_AFFINE}),
    row("LayerNormalization", X3, init={"axis": 1, "center": False}),
    row("LayerNormalization", X3, init={"scale": False}),
    row("GroupNormalization", X3, init={"groups": 2}, masks=[STEPS]),
    row("GroupNormalization", (2, 5, 4, 6), init={"groups": 3, "epsilon": 0.1, **_AFFINE}, unknown=(1, 2)),
    row("GroupNormalization", (2, 6, 4, 5), init={"groups": 2, "axis": 1}),
    row("GroupNormalization", X4, init={"groups": -1, "center": False, "scale": False}),
    row("RMSNormalization", X3),
    row("RMSNormalization", X3, init={"axis": [1, 2], "epsilon": 0.1}),
    row("UnitNormalization", X3, masks=[STEPS]),
    row("UnitNormalization", X3, init={"axis": [1, 2]}),
]

_HEADS = {"num_heads": 2, "key_dim": 3}
_QV = [X3, (2, 5, 6)]
_PAIRS = np.arange(30).reshape(2, 3, 5) % 3 > 0  # (batch, T, S), some queries with nothing to attend to
ATTENTION = [
    *(
        row("MultiHeadAttention", shapes, init=_HEADS | init, call=call, separate=True, bfloat16=0.2)
        for shapes, init, call in [
            (_QV, {}, {}),
            (_QV, {"value_dim": 4, "use_bias": False, "output_shape": 7}, {"return_attention_scores": True}),
            (
                _QV,
                {"kernel_regularizer": "l2", "activity_regularizer": "l2"},
                {"return_attention_scores": True},
            ),
            ([X3, (2, 5, 6), (2, 5, 2)], {"use_gate": True}, {}),
            (_QV, {}, {"attention_mask": _PAIRS}),
            ([X3, X3], {}, {"use_causal_mask": True}),
            ([X3, X3], {}, {"use_causal_mask": True, "value_mask": STEPS, "key_mask": OTHER}),
            ([X3, X3], {"dropout": 0.5}, {"use_causal_mask": True, "value_mask": STEPS, "key_mask": OTHER}),
            ([(2, 5, 4), (2, 5, 4)], {"sliding_window": 2}, {"return_attention_scores": True}),
            ([(2, 3, 4, 5), (2, 3, 4, 5)], {"attention_axes": (2,)}, {}),
            ([(2, 3, 4, 5), (2, 3, 4, 5)], {}, {"return_attention_scores": True}),
            ([(2, 3, 4, 5), (2, 3, 4, 5)], {"output_shape": (2, 3)}, {}),
        ]
    ),
    row("MultiHeadAttention", [X3, X3], init=_HEADS, separate=True, masks=[STEPS, OTHER], bfloat16=0.2),
    row(
        "MultiHeadAttention",
        _QV,
        init=_HEADS | {"dropout": 0.5},
        separate=True,
        training=True,
        oracle=False,
        bfloat16=None,
    ),
    *(
        row("Attention", shapes, init=init, call=call, bfloat16=0.2)
        for shapes, init, call in [
            ([X3, (2, 5, 4)], {}, {}),
            ([X3, (2, 5, 6), (2, 5, 4)], {"use_scale": True}, {"return_attention_scores": True}),
            ([X3, (2, 5, 4)], {"score_mode": "concat", "use_scale": True}, {}),
            ([X3, (2, 5, 4)], {"score_mode": "concat"}, {"use_causal_mask": True}),
        ]
    ),
    row("Attention", [X3, X3], masks=[STEPS, OTHER], call={"use_causal_mask": True}, bfloat16=0.2),
    row("AdditiveAttention", [X3, (2, 5, 4)], bfloat16=0.2),
    row("AdditiveAttention", [X3, X3], init={"use_scale": False}, masks=[STEPS, OTHER], bfloat16=0.2),
]

SPECS = [
    *CORE,
    *ACTIVATIONS,
    *RESHAPING,
    *REGULARIZATION,
    *CONVOLUTION,
    *POOLING,
    *MERGING,
    *NORMALIZATION,
    *ATTENTION,
    *(row(layer, inputs, **options) for layer, inputs, options in (*MORE, *TABLES, *IMAGES)),
]
