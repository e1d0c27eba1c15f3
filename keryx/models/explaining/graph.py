"""Rules of the graph: layers that do not go together, and weights in the wrong place."""

import math
from collections.abc import Iterator

from keryx.models.explaining.findings import Finding
from keryx.models.explaining.view import Call, View

_LARGE = 100_000  # weights, below which it does not matter where they are


def linear_stacks(view: View) -> Iterator[Finding]:
    """Two layers with kernels, and nothing between them."""
    ends = [end.before() for end in view.ends]
    for call in view.kernels:
        following = list(call.after())
        if call.activation != "linear" or not following or call in ends:
            continue
        if not all(map(_mixes_channels, [call, *following])) or _is_narrow(call, following[0]):
            continue
        yield Finding(
            call.path,
            f"no activation between it and {following[0].path}.",
            "Two linear maps after one another are one linear map: the first adds weights, and nothing that the second "
            "could not do alone.",
            f'{call.kind}(..., activation="relu")',
        )


def _mixes_channels(call: Call) -> bool:
    """Whether it has a kernel over all channels; a depthwise one and the one after it are a factoring on purpose."""
    return call.has_kernel and not call.kind.startswith("Depthwise") and getattr(call.inner, "groups", 1) == 1


def _is_narrow(call: Call, following: Call) -> bool:
    """Whether it is a bottleneck on purpose, a factor of a matrix of low rank."""
    widths = [c.shape[-1] for c in (*call.sources[:1], call, following)]
    return None not in widths and len(widths) == 3 and widths[1] < min(widths[0], widths[2])  # type: ignore[operator,type-var]


def twice_activated(view: View) -> Iterator[Finding]:
    """The same activation, or a softmax and another one, directly after one another."""
    for call in view.calls:
        before = call.sources[0] if len(call.sources) == 1 else None
        if before is None or call.has_kernel or call.activation in (None, "linear"):
            continue
        first, second = before.activation, call.activation
        if second in (first, "softmax") and first in ("relu", "softmax", "sigmoid", "tanh"):
            yield Finding(
                call.path,
                f"{second} of {before.path}, which ends in {first}.",
                "Applied twice, relu changes nothing, and others flatten what the first has told apart.",
                f"{before.kind}(..., activation=None)" if before.has_kernel else f"leave {call.path!r} out",
            )


def bias_before_normalization(view: View) -> Iterator[Finding]:
    """A bias that BatchNormalization takes away again."""
    found = [
        call
        for call in view.kernels
        if call.activation == "linear"
        and getattr(call.inner, "use_bias", False)
        and [(use.kind, use.inner.__dict__.get("center", True)) for use in call.uses] == [("BatchNormalization", True)]
    ]
    if found:
        more = f", as in {len(found) - 1} more" if len(found) > 1 else ""
        yield Finding(
            found[0].path,
            f"it adds a bias right before BatchNormalization{more}.",
            "The mean that is taken away holds the bias: it does nothing, and BatchNormalization has its own.",
            f"{found[0].kind}(..., use_bias=False)",
        )


def dropout_before_normalization(view: View) -> Iterator[Finding]:
    """Dropout right before BatchNormalization."""
    for call in view.calls:
        if call.kind == "Dropout" and any(use.kind == "BatchNormalization" for use in call.uses):
            yield Finding(
                call.path,
                "it stands right before BatchNormalization.",
                "Dropout makes the variance in training larger than at inference, and BatchNormalization keeps the one "
                "of training (Li et al., arXiv:1801.05134).",
                f"x = Dropout({call.inner.rate:g})(BatchNormalization()(x))",
            )


def dropout_of_nearly_all(view: View) -> Iterator[Finding]:
    """A rate that may have been meant as the share to keep."""
    for call in view.calls:
        rate = getattr(call.inner, "rate", None)
        if "Dropout" in call.kind and isinstance(rate, (int, float)) and rate > 0.7:
            yield Finding(
                call.path,
                f"it drops {rate:.0%}.",
                "rate is the share that is dropped, not the one that is kept.",
                f"{call.kind}({round(1 - rate, 3):g})",
            )


def momentum_of_others(view: View) -> Iterator[Finding]:
    """A momentum of BatchNormalization in PyTorch's sense."""
    for call in view.calls:
        momentum = getattr(call.inner, "momentum", None)
        if call.kind == "BatchNormalization" and isinstance(momentum, (int, float)) and momentum < 0.5:
            yield Finding(
                call.path,
                f"momentum={momentum:g}.",
                "Here it is the share that the old averages keep; PyTorch's momentum is the share of the new batch.",
                f"BatchNormalization(momentum={round(1 - momentum, 4):g})",
            )


def weights_in_one_place(view: View) -> Iterator[Finding]:
    """Nearly all weights in one Dense behind a Flatten."""
    total = view.model.count_params() if view.model.built else 0
    for call in dict.fromkeys(call for call in view.kernels if call.kind == "Dense"):
        own = call.inner.count_params() if call.inner.built else 0
        if total < _LARGE or own < 0.95 * total:
            continue
        flat = next((c for c in call.upstream() if c.kind == "Flatten" and len(c.sources[0].shape) > 2), None)
        if flat is None:
            continue
        rank = len(flat.sources[0].shape) - 2
        yield Finding(
            call.path,
            f"{own:,} of {total:,} weights ({own / total:.0%}), because of {flat.path}, which makes "
            f"{_size(flat.shape)} numbers of {flat.sources[0].shape[1:]}.",
            "It has a weight for every place of the image and learns places by heart; pooling keeps the features.",
            f"GlobalAveragePooling{rank}D() in place of Flatten()" if rank <= 3 else "pool before Flatten()",
        )


def _size(shape: tuple[int | None, ...]) -> str:
    sizes = [size for size in shape[1:] if size is not None]
    return f"{math.prod(sizes):,}"


def softmax_of_the_batch(view: View) -> Iterator[Finding]:
    """A softmax along the batch axis."""
    for call in view.calls:
        axis = getattr(call.inner, "axis", None)
        if call.kind == "Softmax" and isinstance(axis, int) and axis % max(len(call.shape), 1) == 0:
            yield Finding(
                call.path,
                f"a softmax along axis {axis}, that of the batch.",
                "The rows of a batch then share one sum: what comes out for a row depends on the others.",
                "Softmax(axis=-1)",
            )


RULES = [
    linear_stacks,
    twice_activated,
    bias_before_normalization,
    dropout_before_normalization,
    dropout_of_nearly_all,
    momentum_of_others,
    weights_in_one_place,
    softmax_of_the_batch,
]
