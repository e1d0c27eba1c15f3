"""Hashing and HashedCrossing: categories, and combinations of them, in a fixed number of bins, without a vocabulary."""

from typing import Any

import numpy as np

from keryx import config
from keryx.errors import ConfigError, DataError, ShapeError
from keryx.layers.layer import Layer, registry
from keryx.layers.preprocessing.encoding import encode, mode_of, refuse_sparse
from keryx.layers.preprocessing.hashes import as_words, bins, crossed_bins


def salt_of(layer: str, salt: Any) -> list[int] | None:
    """A salt as the two integers that key SipHash: one stands for both."""
    if salt is None:
        return None
    if isinstance(salt, int):
        return [salt, salt]
    if isinstance(salt, (list, tuple)) and len(salt) == 2:
        return list(salt)
    raise ConfigError(f"{layer}: a salt is an integer, or two; got {salt!r}.")


@registry.register()
class Hashing(Layer):
    """The bin of each category: `hash(text) mod num_bins`, the same on every machine.

    Integers are hashed as the text that is written for them, floats as their whole part. The hash is FarmHash's
    Fingerprint64, or SipHash-2-4 keyed by a salt, as in TensorFlow, whose bins these are. It runs on the host.

    Args:
        num_bins: How many bins there are.
        mask_value: What goes to bin 0, which nothing else does then; default None.
        salt: An integer, or two, for SipHash; default None.
        output_mode: `"int"` (default): the bin; `"one_hot"`, `"multi_hot"` and `"count"`: a vector as
            CategoryEncoding's.
        sparse: Not offered: True raises.

    Shapes: shape in, same shape out; in other modes as CategoryEncoding.

    Raises:
        ConfigError: For no bins, an unknown mode, or a dtype of floats where the bins come as integers.

    Source: Pike and Alakuijala, FarmHash; Aumasson and Bernstein, SipHash, 2012.

    >>> import keryx, numpy as np
    >>> keryx.layers.Hashing(3)(np.array([["A"], ["B"], ["C"], ["D"], ["E"]])).ravel().tolist()
    [1, 0, 1, 1, 2]
    """

    on_host = True

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else config.floatx()
        super().__init__(**kwargs)
        refuse_sparse("Hashing", sparse)
        if num_bins is None or num_bins <= 0:
            raise ConfigError(f"{self.title} wants num_bins, 1 or more; got {num_bins!r}.")
        self.output_mode = mode_of("Hashing", output_mode, ("int", "one_hot", "multi_hot", "count"))
        if self.output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ConfigError(f"{self.title} gives integers, int32 or int64; got dtype={self.dtype_policy.name!r}.")
        self.num_bins, self.mask_value, self.sparse = num_bins, mask_value, sparse
        self.salt = salt_of("Hashing", salt)

    @property
    def halves_of_call(self) -> Any:
        """What of a call runs on the host, and what behind it; None where that is all on the host."""
        return None if self.output_mode == "int" else (self.bins_of, self.encoded)

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Text or numbers of any shape."""
        found = self.bins_of(inputs)
        return found.astype(self.compute_dtype) if self.output_mode == "int" else self.encoded(found)

    def encoded(self, found: Any) -> Any:
        """Bins as vectors."""
        return encode(found, self.output_mode, self.num_bins, self.compute_dtype)

    def bins_of(self, inputs: np.ndarray) -> np.ndarray:
        """The bin of each element."""
        if self.output_mode == "one_hot" and inputs.ndim > 1 and inputs.shape[-1] == 1:
            inputs = inputs[..., 0]
        masked = self.mask_value is not None and self.num_bins > 1
        found = bins(as_words(inputs), self.num_bins - masked, self.salt)
        return np.where(inputs == self.mask_value, 0, found + 1) if masked else found


@registry.register()
class HashedCrossing(Layer):
    """The bin of each combination of categories, such as a city and a weekday.

    The hash is that of TensorFlow: FarmHash's fingerprint of each text, and each integer as it is, joined in turn. It
    runs on the host.

    Args:
        num_bins: How many bins there are.
        output_mode: `"int"` (default): the bin; `"one_hot"`: a vector.
        sparse: Not offered: True raises.
        name: The layer's name.
        dtype: The dtype of the outputs.

    Shapes: two or more inputs of `()`, `(batch,)` or `(batch, 1)`, text or integers, give the same shape; with
    `one_hot` `(batch, num_bins)`.

    Raises:
        ConfigError: For an unknown mode.
        DataError, ShapeError: For fewer than two inputs, other shapes, or floats.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.HashedCrossing(5)
    >>> layer((np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102]))).tolist()
    [1, 4, 1, 1, 3]
    """

    on_host = True

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, dtype="int64" if output_mode == "int" and dtype is None else dtype, **kwargs)
        refuse_sparse("HashedCrossing", sparse)
        self.output_mode = mode_of("HashedCrossing", output_mode, ("int", "one_hot"))
        if num_bins is None or num_bins <= 0:
            raise ConfigError(f"{self.title} wants num_bins, 1 or more; got {num_bins!r}.")
        self.num_bins, self.sparse = num_bins, sparse

    @property
    def halves_of_call(self) -> Any:
        """What of a call runs on the host, and what behind it; None where that is all on the host."""
        return None if self.output_mode == "int" else (self.bins_of, self.encoded)

    def call(self, inputs: Any) -> np.ndarray:
        """A list or tuple of arrays of one shape."""
        found = self.bins_of(inputs)
        return found.astype(self.compute_dtype) if self.output_mode == "int" else self.encoded(found)

    def encoded(self, found: Any) -> Any:
        """Bins as vectors."""
        return encode(found, self.output_mode, self.num_bins, self.compute_dtype)

    def bins_of(self, inputs: Any) -> np.ndarray:
        """The bin of each combination."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise DataError(f"{self.title} is called on a list of two inputs or more.")
        shapes = {x.shape for x in inputs}
        shape = inputs[0].shape
        if len(shapes) > 1 or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ShapeError(f"{self.title} wants inputs that are all () or (batch,) or (batch, 1); got {shapes}.")
        for x in inputs:
            if x.dtype.kind not in "Oiub":
                raise DataError(
                    f"{self.title} takes text and integers; got {x.dtype}. A Discretization makes integers."
                )
        return crossed_bins(inputs, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        """Keras's."""
        return {name: getattr(self, name) for name in ("num_bins", "output_mode", "sparse", "name", "dtype")}
