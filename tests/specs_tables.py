"""Rows for the layers of numbers in keryx.layers.preprocessing that run on the device: layer, inputs, options."""

import numpy as np

PLAIN = {"gradient": False, "bfloat16": None}
IDS = {"input_dtype": "int32", "gradient": False}
HALVES = np.full((2, 3), 0.5, "float32")

TABLES = [
    ("Normalization", (2, 3), {"init": {"mean": 2.0, "variance": 3.0}}),
    (
        "Normalization",
        (2, 3, 4),
        {"init": {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 0.5], "axis": 1}, "unknown": (2,)},
    ),
    ("Normalization", (2, 3), {"init": {"mean": 2.0, "variance": 3.0, "axis": None, "invert": True}}),
    ("Discretization", (2, 3, 4), {"init": {"bin_boundaries": [-0.5, 0.0, 0.7]}, "unknown": (1,), **PLAIN}),
    ("Discretization", (2, 3), {"init": {"bin_boundaries": [0.0], "output_mode": "one_hot"}, **PLAIN}),
    ("Discretization", (2, 3), {"init": {"bin_boundaries": [0.0, 1.0], "output_mode": "count"}, **PLAIN}),
    ("CategoryEncoding", (2, 3), {"init": {"num_tokens": 4}, "unknown": (1,), **IDS}),
    ("CategoryEncoding", (2, 3), {"init": {"num_tokens": 5, "output_mode": "one_hot"}, "unknown": (1,), **IDS}),
    ("CategoryEncoding", (2, 1), {"init": {"num_tokens": 5, "output_mode": "one_hot"}, **IDS}),
    (
        "CategoryEncoding",
        (2, 3),
        {"init": {"num_tokens": 5, "output_mode": "count"}, "call": {"count_weights": HALVES}, **IDS},
    ),
]
