"""The names of what stood around layers and models in Keras 1 and 2: a function for each module, given the age."""

import functools
import importlib
from typing import Any

import numpy as np

from keryx import utils as todays_utils
from keryx.compat.dialects.modules import gone


def _public(module: str) -> dict[str, Any]:
    """What a module of ours offers: its functions and classes that were written there."""
    found = importlib.import_module(module)
    own = {name: thing for name, thing in vars(found).items() if getattr(thing, "__module__", None) == module}
    return {name: thing for name, thing in own.items() if name[0] != "_"}


def np_utils(age: int) -> dict[str, Any]:
    """Labels and probabilities."""
    found: dict[str, Any] = {"normalize": todays_utils.normalize, "to_categorical": to_categorical}
    if age == 1:
        found |= {
            "accuracy": _accuracy,
            "binary_logloss": gone("np_utils.binary_logloss", "sklearn.metrics.log_loss(y, p) computes it"),
            "multiclass_logloss": gone("np_utils.multiclass_logloss", "sklearn.metrics.log_loss(y, p) computes it"),
            "categorical_probas_to_classes": _classes_of,
            "probas_to_classes": _classes_of,
        }
    return found


def to_categorical(
    y: Any, num_classes: int | None = None, dtype: str = "float32", nb_classes: int | None = None
) -> np.ndarray:
    """Class numbers as vectors with a 1; a last axis of size 1 falls away.

    >>> to_categorical([[0], [2]], nb_classes=3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    y = np.asarray(y, dtype="int64")
    y = y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
    made: np.ndarray = np.asarray(todays_utils.to_categorical(y, nb_classes if num_classes is None else num_classes))
    return made.astype(dtype)


def _classes_of(y_pred: Any) -> np.ndarray:
    y_pred = np.asarray(y_pred)
    if y_pred.ndim > 1 and y_pred.shape[-1] > 1:
        classes: np.ndarray = y_pred.argmax(-1)
        return classes
    return (y_pred.reshape(-1) > 0.5).astype("int32")


def _accuracy(p: Any, y: Any) -> float:
    return float(np.mean(np.asarray(p) == np.asarray(y)))


_ENQUEUERS = ("GeneratorEnqueuer", "OrderedEnqueuer", "SequenceEnqueuer")


def utils(age: int) -> dict[str, Any]:
    """Data, files, and help around layers."""
    return {
        "to_categorical": to_categorical,
        "HDF5Matrix": HDF5Matrix,
        "Sequence": todays_utils.Sequence,
        "get_file": get_file,
        "print_summary": print_summary,
        "multi_gpu_model": gone(
            "multi_gpu_model", "fit the model itself; jax.sharding spreads pure functions over devices"
        ),
        "convert_all_kernels_in_model": gone(
            "convert_all_kernels_in_model", "load_weights() turns the kernels of Theano's files by itself"
        ),
        "save_array": gone("save_array", "np.save(path, array) writes it"),
        "load_array": gone("load_array", "np.load(path) reads it"),
        "layer_from_config": _layer_from_config,
        **{word: gone(word, "fit() fetches batches by itself; a PyDataset has workers=") for word in _ENQUEUERS},
    }


def _layer_from_config(config: Any, custom_objects: Any = None) -> Any:
    from keryx import layers

    return layers.deserialize(config, custom_objects)


def get_file(
    fname: str,
    origin: str,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: str | None = None,
) -> str:
    """The path of a file that is fetched once, by `keryx.utils.get_file`; `untar` unpacks it."""
    path: str = todays_utils.get_file(
        fname,
        origin,
        file_hash=file_hash or md5_hash,
        cache_subdir=cache_subdir,
        hash_algorithm="md5" if md5_hash and not file_hash else hash_algorithm,
        extract=extract or untar,
        archive_format=archive_format,
        cache_dir=cache_dir,
    )
    return path


def print_summary(model: Any, line_length: Any = None, positions: Any = None, print_fn: Any = None) -> None:
    """`model.summary(...)`."""
    model.summary(line_length, positions, print_fn)


class HDF5Matrix:
    """Rows of a dataset in an HDF5 file, which are read when they are asked for.

    Args:
        datapath: The file.
        dataset: The name of the dataset in it.
        start: The first row.
        end: One past the last row.
        normalizer: A function of the rows that are read.
    """

    def __init__(self, datapath: str, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None):
        import h5py

        self.file = h5py.File(datapath, "r")
        self.data, self.start, self.normalizer = self.file[dataset], start, normalizer
        self.end = self.data.shape[0] if end is None else end

    def __len__(self) -> int:
        return int(self.end - self.start)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, slice):
            first, last, step = key.indices(len(self))
            rows = self.data[self.start + first : self.start + last : step]
        elif isinstance(key, (int, np.integer)):
            rows = self.data[self.start + (key + len(self) if key < 0 else key)]
        else:
            places = np.asarray(key)
            wanted, back = np.unique(places, return_inverse=True)  # h5py wants them in order, each once
            rows = self.data[self.start + wanted][back]
        return np.asarray(rows if self.normalizer is None else self.normalizer(rows))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows."""
        return (len(self), *self.data.shape[1:])

    @property
    def dtype(self) -> Any:
        """The dtype of the dataset."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


def pictures(age: int) -> dict[str, Any]:
    """The picture of a model."""
    return {"plot": _plot, "plot_model": _plot, "model_to_dot": _to_dot}


def _plot(model: Any, to_file: str = "model.png", *args: Any, **kwargs: Any) -> Any:
    return todays_utils.plot_model(model, to_file, *args, **kwargs)


def _to_dot(model: Any, *args: Any, **kwargs: Any) -> Any:
    return todays_utils.model_to_dot(model, *args, **kwargs)


def text(age: int) -> dict[str, Any]:
    """Words of texts as numbers."""
    return _public("keryx.compat.preprocessing.text")


def sequence(age: int) -> dict[str, Any]:
    """Sequences as arrays."""
    return _public("keryx.compat.preprocessing.sequence") | {"pad_sequences": todays_utils.pad_sequences}


def image(age: int) -> dict[str, Any]:
    """Images that are changed at random."""
    found: dict[str, Any] = {}
    for part in ("transforms", "iterators", "generator", "pictures"):
        found |= _public(f"keryx.compat.preprocessing.{part}")
    return found


def scikit_learn(age: int) -> dict[str, Any]:
    """Models as estimators."""
    return _public("keryx.compat.preprocessing.estimators")


def _load_data(dataset: str, *args: Any, **kwargs: Any) -> Any:
    if "nb_words" in kwargs:
        kwargs["num_words"] = kwargs.pop("nb_words")
    return importlib.import_module(f"keryx.datasets.{dataset}").load_data(*args, **kwargs)


def imdb(age: int) -> dict[str, Any]:
    """`load_data(nb_words=)`."""
    return {"load_data": functools.partial(_load_data, "imdb")}


def reuters(age: int) -> dict[str, Any]:
    """`load_data(nb_words=)`."""
    return {"load_data": functools.partial(_load_data, "reuters")}
