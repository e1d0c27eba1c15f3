"""The columns of a FeatureSpace: what each is, and the layer that makes numbers of it."""

from typing import Any, ClassVar

from keryx import layers
from keryx.core.codec import Configurable, deserialize, registry_of
from keryx.core.graph import unique_name
from keryx.errors import ConfigError, listing
from keryx.layers.layer import Layer

_MODULE = "keras.src.layers.preprocessing.feature_space"


class _Part(Configurable):
    """What a FeatureSpace is described by; configs name it as Keras does."""

    config_module = _MODULE
    config_registered_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.config_registered_name = cls.__name__

    def _check(self, output_mode: str, known: tuple[str, ...]) -> str:
        if output_mode not in known:
            raise ConfigError(f"The output_mode of a {type(self).__name__} is {listing(known)}; got {output_mode!r}.")
        return output_mode


class Cross(_Part):
    """Columns whose combinations are hashed into `crossing_dim` bins."""

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot"):
        self.feature_names, self.crossing_dim = tuple(feature_names), crossing_dim
        self.output_mode = self._check(output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """The names of the columns, joined."""
        return "_X_".join(self.feature_names)


class Feature(_Part):
    """A column: its dtype, the layer that makes numbers of it, and how those are given."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        self.dtype, self.preprocessor = dtype, deserialize(preprocessor)
        self.output_mode = self._check(output_mode, ("int", "one_hot", "float"))


class TFDIdentity(Layer):
    """What it is given; Keras's configs name it for plain numbers."""

    config_module, config_registered_name = _MODULE, "TFDIdentity"

    def call(self, x: Any) -> Any:
        """As it is."""
        return x


class Kinds:
    """The kinds of columns, by their names."""

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Columns whose combinations are hashed into `crossing_dim` bins; `output_mode` is `one_hot` or `int`."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A column for a layer of yours; `output_mode` is `float`, `int` or `one_hot`."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return Feature("float32", TFDIdentity(dtype="float32", name=_named("float", name)), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """`scale * x + offset`."""
        layer = layers.Rescaling(scale=scale, offset=offset, name=_named("float_rescaled", name))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers of mean 0 and variance 1."""
        return Feature("float32", layers.Normalization(axis=-1, name=_named("float_normalized", name)), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """The range that each number is in; `num_bins` is None where the boundaries are given."""
        layer = layers.Discretization(bin_boundaries, num_bins, name=_named("float_discretized", name))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Identifiers, of which `adapt` makes a vocabulary."""
        layer = layers.IntegerLookup(max_tokens, num_oov_indices, name=_named("integer_categorical", name))
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Words, of which `adapt` makes a vocabulary."""
        layer = layers.StringLookup(max_tokens, num_oov_indices, name=_named("string_categorical", name))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Words, hashed into bins."""
        return Feature("string", layers.Hashing(num_bins, name=_named("string_hashed", name)), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Identifiers, hashed into bins."""
        return Feature("int32", layers.Hashing(num_bins, name=_named("integer_hashed", name)), output_mode)


KINDS = (
    "float", "float_rescaled", "float_normalized", "float_discretized", "integer_categorical", "string_categorical",
    "integer_hashed", "string_hashed",
)  # fmt: skip
registry_of("keras.utils").table |= {part.__name__: part for part in (Feature, Cross, TFDIdentity)}


def _named(kind: str, name: str | None) -> str:
    return f"{name or unique_name(kind)}_preprocessor"
