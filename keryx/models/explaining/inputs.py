"""Rules of the inputs: their scale, their ids, their padding."""

from collections.abc import Iterator

import numpy as np

from keryx.models.explaining.findings import Finding
from keryx.models.explaining.view import Call, View

_SCALING = {"Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "GroupNormalization"}
_SCALING |= {"UnitNormalization", "RMSNormalization", "Discretization", "CategoryEncoding", "Hashing", "Embedding"}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
_OF_ONE_SCALE = {"Masking", "Concatenate", "Resizing", "CenterCrop", "UpSampling1D", "UpSampling2D", "UpSampling3D"}


def _numbers(view: View) -> Iterator[tuple[Call, np.ndarray]]:
    """The inputs that hold numbers, with their data."""
    return ((call, x) for call, x in view.inputs if x.dtype.kind in "fiu" and x.size)


def not_finite(view: View) -> Iterator[Finding]:
    """NaN and infinity among the inputs."""
    for call, x in _numbers(view):
        bad = ~np.isfinite(x)
        if bad.any():
            yield Finding(
                call.path,
                f"{bad.sum():,} of {x.size:,} numbers are NaN or infinite, the first in row "
                f"{view.row(np.argwhere(bad)[0][0])}.",
                "One of them makes the loss NaN, and training stops.",
                "x = np.nan_to_num(x)",
            )


def unscaled(view: View) -> Iterator[Finding]:
    """Large numbers that reach a kernel as they are."""
    for call, x in _numbers(view):
        kernel = _first_kernel(call)
        finite = x[np.isfinite(x)]
        if kernel is None or not finite.size or not finite.any():
            continue
        spread, middle = float(finite.std()), float(abs(finite.mean()))
        if max(spread, middle) <= 10:
            continue
        low, high = float(finite.min()), float(finite.max())
        pixels = x.ndim > 2 and low >= 0 and 1 < high <= 255
        yield Finding(
            call.path,
            f"its numbers lie between {low:g} and {high:g}, and reach {kernel.path} as they are.",
            "The first weights and the learning rate are made for numbers of about 1.",
            "x = layers.Rescaling(1 / 255)(x)" if pixels else "scale = layers.Normalization(); scale.adapt(data)",
        )


def _first_kernel(call: Call) -> Call | None:
    """The first layer with a kernel, or recurrent one, that is given the values of a call as they are."""
    for use in call.after():
        if use.has_kernel or use.kind in _RECURRENT:
            return use
        if "Pooling" in use.kind or use.kind.startswith("Rand") or use.kind in _OF_ONE_SCALE:
            found = _first_kernel(use)
            if found is not None:
                return found
    return None


def unlike_columns(view: View) -> Iterator[Finding]:
    """Columns of a table of very different scale."""
    for call, x in _numbers(view):
        if x.ndim != 2 or x.shape[1] < 2 or len(x) < 8 or _first_kernel(call) is None or not np.isfinite(x).all():
            continue
        spread = x.astype(float).std(0)
        varied = spread[spread > 0]
        if varied.size > 1 and varied.max() > 1000 * varied.min():
            yield Finding(
                call.path,
                f"column {int(spread.argmax())} varies by {spread.max():.3g}, and others by {varied.min():.3g}.",
                "Columns that vary little are hardly seen beside those that vary much.",
                "scale = layers.Normalization(); scale.adapt(data)",
            )


def _embedded(view: View) -> Iterator[tuple[Call, np.ndarray, Call]]:
    """The inputs that an Embedding looks up."""
    for call, x in _numbers(view):
        for use in call.after():
            if use.kind == "Embedding" and np.isfinite(x).all():
                yield call, x, use


def embedding_too_large(view: View) -> Iterator[Finding]:
    """Rows of an Embedding that no id reaches."""
    for call, x, embedding in _embedded(view):
        rows, highest = embedding.inner.input_dim, int(x.max())
        if x.size >= 1000 and rows > 1000 and highest + 1 < rows / 4:
            yield Finding(
                embedding.path,
                f"it has {rows:,} rows, and no id in {call.path} is above {highest:,}.",
                "The rows above are never trained, and take memory.",
                f"Embedding({highest + 1}, {embedding.inner.output_dim})",
            )


def padding_without_mask(view: View) -> Iterator[Finding]:
    """Padded ids that a recurrent layer reads like words."""
    for call, x, embedding in _embedded(view):
        reader = next((use for use in embedding.after() if use.kind in _RECURRENT), None)
        if reader is None or embedding.inner.mask_zero or x.ndim != 2 or x.shape[1] < 3:
            continue
        padded = (x[:, -2:] == 0).all(1) | (x[:, :2] == 0).all(1)
        if padded.mean() > 0.3 and (x == 0).mean() > 0.1:
            yield Finding(
                embedding.path,
                f"{padded.mean():.0%} of the rows of {call.path} begin or end in zeros, and {reader.path} reads them.",
                "Padding that is not masked is read like a word: where it comes last, the words before it fade.",
                f"Embedding({embedding.inner.input_dim}, {embedding.inner.output_dim}, mask_zero=True)",
            )


RULES = [not_finite, unscaled, unlike_columns, embedding_too_large, padding_without_mask]
