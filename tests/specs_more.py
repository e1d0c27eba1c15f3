"""Rows for tests/specs.py: each the arguments of its `row`, a layer, its inputs, and the options."""

import numpy as np

STEPS = np.array([[1, 1, 0], [1, 0, 0]], bool)  # a mask (batch, time)
OTHER = np.array([[0, 1, 1], [1, 1, 0]], bool)
X3, X4, X5 = (2, 3, 4), (2, 5, 6, 3), (2, 4, 5, 4, 2)
ALL_STATES = {"return_sequences": True, "return_state": True}
PENALTIES = {"kernel_regularizer": "l2", "recurrent_regularizer": "l1", "activity_regularizer": "l2"}

ADAPTIVE = [
    ("AdaptiveMaxPooling1D", (2, 7, 3), {"init": {"output_size": 3}, "unknown": (1,)}),
    ("AdaptiveMaxPooling2D", X4, {"init": {"output_size": 4, "data_format": "channels_first"}}),
    ("AdaptiveMaxPooling3D", X5, {"init": {"output_size": 1}}),
    ("AdaptiveAveragePooling1D", (2, 3, 7), {"init": {"output_size": 2, "data_format": "channels_first"}}),
    ("AdaptiveAveragePooling2D", X4, {"init": {"output_size": (5, 2)}}),
    ("AdaptiveAveragePooling3D", X5, {"init": {"output_size": (2, 3, 1)}}),
]

CONV_LSTM = [
    (
        "ConvLSTM1D",
        (2, 3, 7, 2),
        {"init": {"filters": 3, "kernel_size": 3, "strides": 2, **ALL_STATES}, "unknown": (1,)},
    ),
    (
        "ConvLSTM2D",
        (2, 3, 4, 5, 2),
        {"init": {"filters": 2, "kernel_size": (3, 2), "padding": "same", **PENALTIES}},
    ),
    (
        "ConvLSTM2D",
        (2, 3, 2, 4, 4),
        {
            "init": {
                "filters": 2,
                "kernel_size": 2,
                "activation": "relu",
                "recurrent_activation": "hard_sigmoid",
                "data_format": "channels_first",
                "dilation_rate": 2,
                "use_bias": False,
                "go_backwards": True,
                "return_sequences": True,
            }
        },
    ),
    ("ConvLSTM3D", (2, 2, 3, 3, 3, 1), {"init": {"filters": 1, "kernel_size": 2, "unit_forget_bias": False}}),
    (
        "ConvLSTM1D",
        (2, 3, 5, 2),
        {
            "init": {"filters": 2, "kernel_size": 3, "dropout": 0.5, "recurrent_dropout": 0.5},
            "training": True,
            "oracle": False,
            "bfloat16": None,
        },
    ),
]

_GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
_QV = [X3, (2, 5, 4)]
_PAIRS = np.arange(30).reshape(2, 3, 5) % 3 > 0  # (batch, T, S), some queries with nothing to attend to
GROUPED_ATTENTION = [
    *(
        ("GroupQueryAttention", shapes, {"init": _GROUPS | init, "call": call, "separate": True, "bfloat16": half})
        for shapes, init, call, half in [
            (_QV, {"use_bias": False, "num_key_value_heads": 1}, {"return_attention_scores": True}, 0.2),
            ([X3, (2, 5, 4), (2, 5, 2)], {"use_gate": True, "num_key_value_heads": 4}, {}, None),
            (_QV, {"sliding_window": 3, "kernel_regularizer": "l2"}, {"attention_mask": _PAIRS}, None),
            (
                [X3, X3],
                {"dropout": 0.5, "activity_regularizer": "l2"},
                {"use_causal_mask": True, "value_mask": STEPS, "key_mask": OTHER},
                None,
            ),
        ]
    ),
]

_IDS = {"input_dtype": "int32"}
EMBEDDING = [
    ("ReversibleEmbedding", (2, 3), {"init": {"input_dim": 5, "output_dim": 4, "mask_zero": True}, **_IDS}),
    ("ReversibleEmbedding", (2, 3), {"init": {"input_dim": 5, "output_dim": 4, "tie_weights": False}, **_IDS}),
    *(
        ("ReversibleEmbedding", X3, {"init": {"input_dim": 5, "output_dim": 4, **init}, "call": {"reverse": True}})
        for init in ({}, {"tie_weights": False, "logit_soft_cap": 2.0})
    ),
]

_LIMITS = {"rmin": 0.5, "rmax": 1.5, "dmax": 0.4}
NORMALIZATION = [
    ("BatchNormalization", X3, {"init": {"renorm": True, "renorm_clipping": _LIMITS}, "training": True}),
    (
        "BatchNormalization",
        X4,
        {"init": {"renorm": True, "renorm_momentum": 0.5, "axis": 1, "scale": False}, "training": True},
    ),
    ("BatchNormalization", X3, {"init": {"renorm": True, "center": False}, "masks": [STEPS]}),
]

MORE = [*ADAPTIVE, *CONV_LSTM, *GROUPED_ATTENTION, *EMBEDDING, *NORMALIZATION]
