"""FeatureSpace: the columns of a table as one vector a row, each made into numbers by a layer of its own."""

import os
import sys
from typing import Any

import jax
import numpy as np

from keryx import layers
from keryx.core import host, tf_graph
from keryx.core.codec import deserialize, reads, registry_of, serialize
from keryx.core.graph import symbols_in
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ConfigError, DataError, StateError, did_you_mean, listing
from keryx.layers.layer import Layer
from keryx.layers.preprocessing.adapting import batches
from keryx.models.model import Model
from keryx.saving.models import save_model
from keryx.utils.features import KINDS, Cross, Feature, Kinds

_ROWS = 32  # a batch, where the rows of a table come one by one


class FeatureSpace(Kinds, Layer):
    """The columns of a table, encoded: each by the layer that fits its kind, then joined to one vector a row.

    Args:
        features: By the name of each column its kind: `"float"`, `"float_rescaled"`, `"float_normalized"`,
            `"float_discretized"`, `"integer_categorical"`, `"string_categorical"`, `"integer_hashed"`,
            `"string_hashed"`, or what the method of this name gives, such as
            `FeatureSpace.string_categorical(max_tokens=10)`; `FeatureSpace.feature` takes a layer of yours.
        output_mode: `"concat"` (default): one vector a row, the columns by name, then the crosses by name; `"dict"`: a
            dict of them.
        crosses: Columns whose combinations count as categories too, such as `[("city", "weekday")]`, or what
            `FeatureSpace.cross` gives.
        crossing_dim: How many bins combinations are hashed into; default 32.
        hashing_dim: How many bins hashed columns have; default 32.
        num_discretization_bins: How many bins discretized columns have; default 32.
        name: Its name.

    Called on a dict of columns, or of single values, it gives their encoding; called on Inputs it is part of a model,
    as are `get_inputs()` and `get_encoded_features()`. Text and lookups run on the host, within the feed; the rest
    on the device.

    Raises:
        ConfigError: For unknown kinds, modes and columns.
        StateError: Where it is used before `adapt`.

    >>> import keryx, numpy as np
    >>> space = keryx.utils.FeatureSpace({"age": "float", "city": "string_categorical"})
    >>> space.adapt({"age": [31.0, 50.0, 22.0], "city": ["Rome", "Oslo", "Rome"]})
    >>> space({"age": [40.0], "city": ["Oslo"]}).tolist()
    [[40.0, 0.0, 0.0, 1.0]]
    """

    config_module = "keras.utils"
    tells_how_built = True

    def __init__(
        self,
        features: Any,
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features:
            raise ConfigError(f"{self.title} wants features, a dict of a kind by the name of each column.")
        if output_mode not in ("concat", "dict"):
            raise ConfigError(f"{self.title}: output_mode is 'concat' or 'dict'; got {output_mode!r}.")
        self.output_mode, self.crossing_dim = output_mode, crossing_dim
        self.hashing_dim, self.num_discretization_bins = hashing_dim, num_discretization_bins
        self.features = {column: self._feature(column, kind) for column, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.inputs = {
            column: layers.Input((1,), dtype=feature.dtype, name=column) for column, feature in self.features.items()
        }
        self.preprocessors = {column: feature.preprocessor for column, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, Layer] = {}
        self.concat: Layer | None = None
        self.encoded_features: Any = None
        self._is_adapted = False
        self._encoder: Model | None = None

    def _feature(self, column: str, kind: Any) -> Feature:
        if not isinstance(kind, str):
            feature = deserialize(kind)
            if not isinstance(feature, Feature):
                raise ConfigError(f"{self.title}: {column!r} is described by {kind!r}, which is no feature.")
            return feature
        sizes = {"float_discretized": self.num_discretization_bins}
        sizes |= dict.fromkeys(("integer_hashed", "string_hashed"), self.hashing_dim)
        if kind not in KINDS:
            raise ConfigError(
                f"{self.title}: {column!r} is of the kind {kind!r}.{did_you_mean(kind, KINDS)} Known: {listing(KINDS)}."
            )
        size = (sizes[kind],) if kind in sizes else ()
        return getattr(self, kind)(*size, name=column)

    def _cross(self, cross: Any) -> Cross:
        cross = deserialize(cross) if isinstance(cross, dict) else cross
        cross = cross if isinstance(cross, Cross) else Cross(cross, self.crossing_dim)
        unknown = [column for column in cross.feature_names if column not in self.features]
        if unknown:
            raise ConfigError(f"{self.title} crosses {listing(unknown)}; its columns are {listing(self.features)}.")
        return cross

    # -- adapting ------------------------------------------------------------------------------------------------

    def adapt(self, dataset: Any, steps: int | None = None) -> None:
        """Let each layer learn from its column.

        Args:
            dataset: A dict of columns, a table of pandas, or what yields such dicts, batched or row by row: a
                PyDataset, a generator, a data set of TensorFlow's, Grain's or PyTorch's. Of `(x, y)`, x is taken.
            steps: The most of them that are taken.
        """
        wanted = self._adaptable()
        if isinstance(dataset, dict) or hasattr(dataset, "columns"):
            parts = [dataset]
        elif isinstance(dataset, (list, tuple, np.ndarray)) and not (len(dataset) and isinstance(dataset[0], dict)):
            raise ArgumentError(f"{self.title}: adapt takes a dict of columns, or what yields such dicts.")
        else:
            parts = list(
                batches(iter(dataset) if isinstance(dataset, (list, tuple)) else dataset, self.title, None, steps)
            )
        if not parts:
            raise DataError(f"{self.title}: adapt was given no data.")
        for column in wanted:
            arrays = [host.as_array(self._column(part, column), f"column {column!r}") for part in parts]
            layer = self.preprocessors[column]
            single = arrays[0].ndim == 0
            rows = np.stack(arrays) if single else arrays[0]
            if single or len(arrays) == 1:  # rows, which Keras takes by so many, as its quantiles tell
                rows = rows[:, None] if rows.ndim == 1 else rows
                layer.adapt([rows[i : i + _ROWS] for i in range(0, len(rows), _ROWS)])
            else:
                layer.adapt([array[:, None] if array.ndim == 1 else array for array in arrays])
        self._is_adapted = True
        self._encoder = self.encoded_features = None
        self.get_encoded_features()

    def _column(self, part: Any, column: str) -> Any:
        try:
            return part[column]
        except (KeyError, TypeError, IndexError):
            keys = part if isinstance(part, dict) else getattr(part, "columns", ())
            raise DataError(f"{self.title} wants the column {column!r}; the data has {listing(keys)}.") from None

    def _adaptable(self) -> list[str]:
        def knows(layer: Any) -> bool:
            lookup = getattr(layer, "_lookup_layer", layer)
            given = getattr(lookup, "_has_input_vocabulary", False) or getattr(layer, "input_mean", None) is not None
            return given or (isinstance(layer, layers.Discretization) and layer.num_bins is None)

        return [name for name, layer in self.preprocessors.items() if hasattr(layer, "adapt") and not knows(layer)]

    # -- encoding ------------------------------------------------------------------------------------------------

    def get_inputs(self) -> dict[str, Any]:
        """The Inputs of the columns, for a model."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """What follows from `get_inputs()`, for a model."""
        if not self._is_adapted and self._adaptable():
            raise StateError(f"{self.title} knows nothing of {listing(self._adaptable())} yet: call adapt(data) first.")
        if self._encoder is None:
            specs = {name: self.features[name] for name in sorted(self.features)}
            made = {name: self.preprocessors[name](self.inputs[name]) for name in self.features}
            crosses = {cross.name: cross for cross in sorted(self.crosses, key=lambda cross: cross.name)}
            for name, cross in crosses.items():
                made[name] = self.crossers[name]([made[column] for column in cross.feature_names])
            encoded = {name: self._encoded(name, spec, made[name]) for name, spec in (specs | crosses).items()}
            if self.output_mode == "concat":
                self.concat = layers.Concatenate(axis=-1)
                parts = list(encoded.values())
                self.encoded_features = self.concat(parts) if len(parts) > 1 else parts[0]
            else:
                self.encoded_features = encoded
            self._encoder = Model(self.inputs, self.encoded_features, name=f"{self.name}_encoder")
            self.built = True
        return self.encoded_features

    def _encoded(self, name: str, spec: Any, symbol: Any) -> Any:
        """A column or cross as vectors, where that is asked for."""
        if spec.output_mode == "one_hot":
            size = _sizes(self.preprocessors.get(name) or self.crossers[name])
            if size is None or not symbol.dtype.startswith("int"):
                raise ConfigError(
                    f"{self.title}: {name!r} is to be one-hot, but its layer gives {symbol.dtype} of a size that is "
                    "not known. Give it output_mode='int' or 'float'."
                )
            encoder = self.one_hot_encoders[name] = layers.CategoryEncoding(size, output_mode="multi_hot")
            return encoder(symbol)
        if self.output_mode == "concat" and (symbol.dtype.startswith("int") or symbol.dtype == "string"):
            raise ConfigError(
                f"{self.title}: {name!r} is {symbol.dtype}, which is not joined with numbers. Give it "
                "output_mode='one_hot', or the FeatureSpace output_mode='dict'."
            )
        return symbol

    def __call__(self, data: Any, **kwargs: Any) -> Any:
        """The encoding of a dict of columns, of single values, or of Inputs."""
        self.get_encoded_features()
        assert self._encoder is not None
        if not isinstance(data, dict) and not hasattr(data, "columns"):
            raise ArgumentError(f"{self.title} is called on a dict of columns; got {type(data).__name__}.")
        columns = {name: self._column(data, name) for name in self.features}
        if symbols_in(columns):
            return self._encoder(columns, **kwargs)
        if "tensorflow" in sys.modules and tf_graph.is_within(list(columns.values())):
            return tf_graph.call(self, (columns,), kwargs)
        arrays = {name: host.as_array(column, f"column {name!r}") for name, column in columns.items()}
        single = any(array.ndim == 0 for array in arrays.values())
        encoded = self._encoder({name: _as_column(array) for name, array in arrays.items()}, **kwargs)
        return jax.tree.map(lambda array: array[0], encoded) if single else encoded

    def call(self, inputs: Any) -> Any:
        """As `__call__`."""
        return self(inputs)

    def symbolic_outputs(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Symbols like the encoding of columns, `(batch,)` or `(batch, 1)`, or of single values."""
        single = any(symbol.ndim == 0 for symbol in args[0].values())
        like = jax.tree.map(SymbolicTensor.like, self.get_encoded_features())
        for symbol in jax.tree.leaves(like) if single else ():
            symbol.shape = symbol.shape[1:]
        return like

    # -- configs and files ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The columns, what is crossed, and how they are encoded."""
        names = "features output_mode crosses crossing_dim hashing_dim num_discretization_bins"
        return {name: serialize(getattr(self, name)) for name in names.split()}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A FeatureSpace made anew from what `get_config` gave, here or in Keras."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """What each layer was built for; None where it is not adapted."""
        if not self._is_adapted and self._adaptable():
            return None
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build the layers, which a file tells the rest of."""
        for name, built in (config or {}).items():
            layer = self.preprocessors.get(name)
            if layer is not None and built and not layer.built:
                layer.build_from_config(built)
        self._is_adapted = True

    def save(self, filepath: str | os.PathLike, **kwargs: Any) -> None:
        """Write a `.keras` file, which `keryx.models.load_model` reads, and Keras."""
        save_model(self, filepath, **kwargs)  # type: ignore[arg-type]

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing: its layers keep theirs."""

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing."""


registry_of("keras.utils").table["FeatureSpace"] = FeatureSpace


def _as_column(array: np.ndarray) -> np.ndarray:
    return array.reshape(1, 1) if array.ndim == 0 else array[:, None] if array.ndim == 1 else array


def _sizes(layer: Any) -> int | None:
    """How many numbers a layer gives, if that is known."""
    if isinstance(layer, (layers.IntegerLookup, layers.StringLookup)):
        size = layer.vocabulary_size()
        return max(size, layer._known_size or 0)
    if isinstance(layer, layers.CategoryEncoding):
        return layer.num_tokens
    if isinstance(layer, layers.Discretization):
        return layer.num_bins or len(layer.bin_boundaries) + 1
    return layer.num_bins if isinstance(layer, (layers.HashedCrossing, layers.Hashing)) else None
