"""Every mode of the spectrograms against Keras; tests/specs.py has their gradients and contracts."""

import jax
import keras
import numpy as np
import pytest

import keryx

SOUND = np.random.default_rng(0).normal(size=(2, 24, 2)).astype("float32")


@pytest.mark.parametrize(
    ("name", "init"),
    [
        ("STFTSpectrogram", {"mode": "magnitude", "frame_step": 3, "padding": "same", "expand_dims": True}),
        ("STFTSpectrogram", {"mode": "psd", "window": None, "scaling": None}),
        ("STFTSpectrogram", {"mode": "real", "periodic": True, "scaling": "spectrum"}),
        ("STFTSpectrogram", {"mode": "imag", "fft_length": 16}),
        ("STFTSpectrogram", {"mode": "angle", "data_format": "channels_first"}),
        ("STFTSpectrogram", {"mode": "stft", "expand_dims": True, "data_format": "channels_first"}),
        ("MelSpectrogram", {"fft_length": 16, "sequence_length": 12, "num_mel_bins": 4, "power_to_db": False}),
        ("MelSpectrogram", {"fft_length": 16, "num_mel_bins": 3, "mag_exp": 1.0, "max_freq": 6000, "ref_power": 0.5}),
    ],
)
def test_numbers_are_those_of_keras(name, init):
    x = SOUND
    if name == "MelSpectrogram":
        x = SOUND[:, :, 0]
    else:
        init = {"frame_length": 8, **init}
        x = SOUND.transpose(0, 2, 1) if init.get("data_format") == "channels_first" else SOUND
    ours, theirs = (getattr(module.layers, name)(**init) for module in (keryx, keras))
    symbol = ours(keryx.Input(x.shape[1:]))
    theirs.build(x.shape)
    got, wanted = (jax.jit(lambda x, layer=layer: layer(x))(x) for layer in (ours, theirs))
    assert symbol.shape == (None, *got.shape[1:])
    assert got.shape == wanted.shape
    if init.get("mode") == "angle":  # half a turn to the left is one to the right
        got, wanted = np.exp(1j * np.asarray(got)), np.exp(1j * np.asarray(wanted))
    np.testing.assert_allclose(got, wanted, 1e-5, 1e-5)
    config = ours.get_config()
    assert type(ours).from_config(config).get_config() == config
    assert type(theirs).from_config(config).get_config() == theirs.get_config() | {
        "name": config["name"],
        "dtype": type(theirs).from_config(config).get_config()["dtype"],
    }


def test_a_transform_of_an_odd_size_is_pointed_out():
    with pytest.warns(UserWarning, match="power of 2"):
        keryx.layers.STFTSpectrogram(frame_length=8, fft_length=12)
