"""Discretization: numbers by the range that they are in."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from keryx.core import host
from keryx.core.codec import reads
from keryx.errors import ConfigError, StateError
from keryx.layers.layer import Layer, registry
from keryx.layers.preprocessing.adapting import batches
from keryx.layers.preprocessing.encoding import encode, mode_of, refuse_sparse


def bin_of(values: Any, boundaries: Any) -> Any:
    """How many of the boundaries, in order, are at most each value: int32, of NumPy or JAX as the values are.

    >>> bin_of(np.array([-1.5, 0.0, 3.4, 0.5]), [0.0, 1.0, 2.0]).tolist()
    [0, 1, 3, 1]
    """
    library: Any = np if isinstance(values, np.ndarray) else jnp
    found = library.searchsorted(library.asarray(boundaries, "float32"), library.asarray(values, "float32"), "right")
    return found.astype("int32")


@registry.register()
class Discretization(Layer):
    """The number of the range that each value is in: below the first boundary 0, from the last one on the greatest.

    It runs where its inputs are: on NumPy arrays, or on the device behind a layer that runs there.

    Args:
        bin_boundaries: The boundaries, in order; a value at a boundary is in the range above.
        num_bins: How many ranges `adapt` is to find, with about as many values in each; in place of the boundaries.
        epsilon: How exact the quantiles of `adapt` are; default 0.01.
        output_mode: `"int"` (default): the number of the range; `"one_hot"`, `"multi_hot"` and `"count"`: a vector as
            CategoryEncoding's.
        sparse: Not offered: True raises.
        dtype: The dtype of the vectors.
        name: The layer's name.

    Shapes: shape in, same shape out; in other modes as CategoryEncoding.

    Raises:
        ConfigError: Unless one of `bin_boundaries` and `num_bins` is given, or for an unknown mode.
        StateError: Where it is called before the boundaries are known.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.Discretization(num_bins=4)
    >>> layer.adapt(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]))
    >>> layer(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])).tolist()
    [[0, 2, 3, 2], [1, 3, 3, 1]]
    """

    on_host = None
    summary: np.ndarray

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        refuse_sparse("Discretization", sparse)
        self.output_mode = mode_of("Discretization", output_mode, ("int", "one_hot", "multi_hot", "count"))
        if (bin_boundaries is None) == (num_bins is None):
            raise ConfigError(f"{self.title} wants bin_boundaries, or num_bins and then adapt(data): one of them.")
        if num_bins is not None and num_bins < 0:
            raise ConfigError(f"{self.title}: num_bins is 0 or more; got {num_bins}.")
        self.bin_boundaries = None if bin_boundaries is None else np.asarray(bin_boundaries).tolist()
        self.num_bins, self.epsilon, self.sparse = num_bins, epsilon, sparse
        self.reset_state()

    def call(self, inputs: Any) -> Any:
        """Values of any shape."""
        if self.bin_boundaries is None and not host.on_trial.get():
            raise StateError(f"{self.title} has no boundaries yet: give bin_boundaries, or call adapt(data) first.")
        bins = bin_of(inputs, self.bin_boundaries or [])
        if self.output_mode == "int":
            return bins
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encode(bins, self.output_mode, int(depth or 0), self.compute_dtype)

    # -- adapting ------------------------------------------------------------------------------------------------

    def adapt(
        self, data: Any, batch_size: int | None = None, steps: int | None = None, verbose: int | str = "auto"
    ) -> None:
        """Find boundaries between which there are about as many values each.

        Args:
            data: An array; or batches: a PyDataset, a generator, a list of arrays, a data set of TensorFlow's, Grain's
                or PyTorch's. Of batches `(x, y)`, x is taken.
            batch_size: Rows of an array at a time; by default all.
            steps: The most batches that are taken.
            verbose: 0 shows nothing; 1 and 2 are those of `fit`; `auto` is a bar where one can be drawn.
        """
        if self.num_bins is None:
            raise ConfigError(f"{self.title} was given its boundaries: there is nothing to adapt. Give num_bins.")
        self.reset_state()
        for part in batches(data, self.title, batch_size or 2**62, steps, verbose):
            self.update_state(part)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take more values in."""
        more = _summary(np.asarray(data).astype("float32").ravel(), self.epsilon)
        merged = np.concatenate((more, self.summary), axis=1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Set the boundaries by the values that were taken in."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()
            forget_programs(self)

    def reset_state(self) -> None:
        """Forget the values that were taken in."""
        self.summary = np.zeros((2, 0), "float32")

    # -- configs -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Keras's: the boundaries that were found as well."""
        own = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return {name: getattr(self, name) for name in own}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A layer made anew, with the boundaries that were found."""
        found = config.get("bin_boundaries") if config.get("num_bins") is not None else None
        layer = cls(**config | ({"bin_boundaries": None} if found is not None else {}))
        if found is not None:
            layer.bin_boundaries = np.asarray(found).tolist()
        return layer

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing but the summary of old files: the boundaries are in the config."""
        if len(store) == 1:
            self.summary = np.asarray(store["0"])


def forget_programs(layer: Layer) -> None:
    """Let no program that was compiled with what a layer knew before be used again."""
    waiting, seen = list(layer.nodes), set()
    while waiting:
        node = waiting.pop()
        for model in node.models:
            if model not in seen:
                seen.add(model)
                model._graph_has_changed()
                waiting += model.nodes  # calls of the model within others


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Some of the values in order, and how many each stands for, float32 (2, about 1 / epsilon).

    Source: Keras 3.15, whose boundaries are to come out.
    """
    step = max(values.size * epsilon, 1)
    chosen = np.sort(values)[int(step - 1) :: int(step)]
    return np.stack([chosen, np.ones_like(chosen) * step])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """The quantiles of a summary at each multiple of epsilon."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    known = counts / counts[-1]
    values, upto = np.interp(shares, known, summary[0]), np.interp(shares, known, counts)
    return np.stack((values, np.diff(upto, prepend=0))).astype("float32")
