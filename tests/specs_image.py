"""Rows for tests/specs.py of layers of images and of sound: what is not random, and what is drawn from one number."""

_X = (2, 6, 5, 3)
_RANGE = {"value_range": (-3, 3)}
_FIRST = {"data_format": "channels_first"}
_ALWAYS = [
    ("Rescaling", _X, {"scale": [0.5, 1.0, 2.0], "offset": 1.0}),
    ("Resizing", _X, {"height": 4, "width": 7}),
    ("Resizing", _X, {"height": 8, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 0.5}),
    ("CenterCrop", (2, 3, 6, 5), {"height": 4, "width": 7, **_FIRST}),
    ("AutoContrast", _X, _RANGE),
]
_IN_TRAINING = [
    ("RandomRotation", (2, 3, 6, 5), {"factor": (0.3, 0.3), "fill_mode": "constant", "fill_value": 0.5, **_FIRST}),
    ("RandomBrightness", _X, {"factor": (0.1, 0.1), **_RANGE}),
    ("RandomColorDegeneration", _X, {"factor": (0.4, 0.4), **_RANGE}),
]
_SOUND = [
    ("MelSpectrogram", (2, 40), {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4, "sampling_rate": 1000}),
    ("STFTSpectrogram", (2, 24, 2), {"frame_length": 8}),
]
IMAGES = [
    *((layer, shape, {"init": init, "bfloat16": 0.2}) for layer, shape, init in _ALWAYS),
    *((layer, shape, {"init": init, "training": True, "bfloat16": 0.3}) for layer, shape, init in _IN_TRAINING),
    *((layer, shape, {"init": init, "bfloat16": None}) for layer, shape, init in _SOUND),
]
