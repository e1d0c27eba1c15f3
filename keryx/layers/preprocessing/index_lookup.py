"""IndexLookup: what the layers that look terms up in a vocabulary share."""

from pathlib import Path
from typing import Any

import numpy as np

from keryx import config
from keryx.core import host, plain
from keryx.core.codec import reads, serialize
from keryx.errors import ConfigError, DataError, StateError, listing
from keryx.layers.layer import Layer
from keryx.layers.preprocessing.adapting import batches, is_array
from keryx.layers.preprocessing.discretization import forget_programs
from keryx.layers.preprocessing.encoding import encode, mode_of, refuse_sparse
from keryx.layers.preprocessing.hashes import as_words, bins
from keryx.layers.preprocessing.hashing import salt_of
from keryx.layers.preprocessing.vocabulary import Integers, Tally

_MODES = "int", "one_hot", "multi_hot", "count", "tf_idf"
NONE = -1  # what is not in the vocabulary
DROPPED = -2  # what no vector counts


class IndexLookup(Layer):
    """What StringLookup and IntegerLookup share.

    Numbers are, in this order: the mask (0, where there is a mask token and the output is numbers), as many for what is
    not in the vocabulary as `num_oov_indices`, then the vocabulary.
    """

    terms: Any  # how the vocabulary is kept: Words or Integers

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        self._known_size: int | None = None
        given = vocabulary is not None
        kwargs.pop("dtype", None)  # numbers are int64, vectors of the default dtype, as in Keras
        super().__init__(name=name, **kwargs)
        refuse_sparse(type(self).__name__, sparse)
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.sparse, self.pad_to_max_tokens = invert, sparse, pad_to_max_tokens
        self.output_mode = mode_of(type(self).__name__, output_mode, _MODES)
        self.oov_method, self.salt = oov_method, salt_of(type(self).__name__, salt)
        self._check_arguments(idf_weights, given)
        is_file = isinstance(vocabulary, (str, Path))
        self.input_vocabulary = None if vocabulary is None or is_file else self._listed(vocabulary)
        self.input_idf_weights = None if idf_weights is None else np.asarray(idf_weights).tolist()
        self._has_input_vocabulary = given
        self.idf_weights: np.ndarray | None = None
        self._vocabulary = self.terms([])
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _check_arguments(self, idf_weights: Any, given: bool) -> None:
        wrong = None
        if self.max_tokens is not None and self.max_tokens <= 1:
            wrong = f"max_tokens is 2 or more; got {self.max_tokens}"
        elif self.pad_to_max_tokens and self.max_tokens is None:
            wrong = "pad_to_max_tokens wants max_tokens"
        elif self.num_oov_indices < 0:
            wrong = f"num_oov_indices is 0 or more; got {self.num_oov_indices}"
        elif self.oov_method not in ("floormod", "farmhash"):
            wrong = f"oov_method is 'floormod' or 'farmhash'; got {self.oov_method!r}"
        elif self.salt is not None and self.terms is Integers and self.oov_method != "farmhash":
            wrong = "a salt goes with oov_method='farmhash'"
        elif self.invert and self.output_mode != "int":
            wrong = f"invert=True goes with output_mode='int'; got {self.output_mode!r}"
        elif idf_weights is not None and self.output_mode != "tf_idf":
            wrong = f"idf_weights go with output_mode='tf_idf'; got {self.output_mode!r}"
        elif self.output_mode == "tf_idf" and given and idf_weights is None:
            wrong = "a vocabulary wants idf_weights too where output_mode='tf_idf'"
        if wrong:
            raise ConfigError(f"{self.title}: {wrong}.")

    # -- the vocabulary ------------------------------------------------------------------------------------------

    @property
    def _oov_start(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _start(self) -> int:
        return self._oov_start + self.num_oov_indices

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._oov_start + [self.oov_token] * self.num_oov_indices

    def _is_complete(self, listed: list[Any]) -> bool:
        """Whether a vocabulary begins with the mask and what stands for unknown terms."""
        masks, unknown = listed[: self._oov_start], listed[self._oov_start : self._start]
        return len(listed) >= self._start and {*masks} <= {self.mask_token} and {*unknown} <= {self.oov_token}

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The vocabulary, in the order of its numbers; with the mask and what stands for unknown terms before it."""
        tokens = self._vocabulary.tolist()
        special = self._special() if include_special_tokens else []
        return special + tokens

    def vocabulary_size(self) -> int:
        """How many numbers there are, with those of the mask and of unknown terms."""
        return len(self._vocabulary) + self._start

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary, in place of `adapt`.

        Args:
            vocabulary: The terms in order, or the path of a text file with one a line. A list may begin with the mask
                and the terms for the unknown, as `get_vocabulary` gives it.
            idf_weights: For `tf_idf` the weight of each term.

        Raises:
            DataError: Where a term stands there twice, or there are none, or too many.
            ConfigError: Where weights are missing, or too much.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ConfigError(f"{self.title}: idf_weights go with output_mode='tf_idf', and only with it.")
        from_file = isinstance(vocabulary, (str, Path))
        if from_file and idf_weights is not None:
            raise ConfigError(f"{self.title}: a vocabulary of a file has no weights: give a list for 'tf_idf'.")
        listed = self.terms.read(vocabulary) if from_file else self._listed(vocabulary)
        complete = not from_file and self._is_complete(listed)
        tokens = listed[self._start :] if complete else listed
        self._check_vocabulary(listed, tokens)
        if idf_weights is not None:
            self.idf_weights = self._weights(np.asarray(idf_weights), len(listed), complete)
        self._take(self.terms(tokens))

    def _check_vocabulary(self, listed: list[Any], tokens: list[Any]) -> None:
        if not listed:
            raise DataError(f"{self.title} was given an empty vocabulary.")
        if len(set(tokens)) < len(tokens):
            seen = set[Any]()
            twice = [token for token in tokens if token in seen or seen.add(token)]  # type: ignore[func-returns-value]
            raise DataError(f"{self.title}: the vocabulary has some terms more than once: {listing(twice[:10])}.")
        for what, token in (("mask", self.mask_token), ("unknown terms", self.oov_token if self.invert else None)):
            if token is not None and token in tokens:
                raise DataError(
                    f"{self.title}: the vocabulary has {token!r}, which stands for the {what}. Leave it out, or let "
                    f"the vocabulary begin with {self._special()}."
                )
        size = self._start + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise DataError(f"{self.title}: the vocabulary has {size} terms, more than max_tokens={self.max_tokens}.")

    def _weights(self, weights: np.ndarray, count: int, complete: bool) -> np.ndarray:
        """The weights of all numbers: of unknown terms the mean, of places that no term has 0."""
        if weights.shape != (count,):
            raise ConfigError(f"{self.title} wants idf_weights ({count},), one a term; got {weights.shape}.")
        plain.spend((self._start + (self.max_tokens or 0),), 8)
        if not complete:
            weights = np.concatenate([np.full(self._start, weights.mean() if count else 0.0), weights])
        room = self.max_tokens - len(weights) if self.pad_to_max_tokens and self.max_tokens else 0
        return np.pad(weights, (0, room)).astype(config.floatx())

    def _take(self, vocabulary: Any) -> None:
        size = len(vocabulary) + self._start
        if self.output_mode != "int" and not self.pad_to_max_tokens and self.nodes and self._known_size != size:
            raise StateError(
                f"{self.title} is part of a model and gives vectors of {self._known_size}; the new vocabulary would "
                f"make them {size}. Adapt it before it is called on an Input, or give pad_to_max_tokens=True."
            )
        self._vocabulary, self._known_size = vocabulary, size
        forget_programs(self)  # which have the old one in them

    def expect(self, size: int | None) -> None:
        """Know how many numbers there will be, before the vocabulary is read from beside the config."""
        self._known_size = self._known_size or size

    # -- adapting ------------------------------------------------------------------------------------------------

    def adapt(
        self, data: Any, batch_size: int | None = None, steps: int | None = None, verbose: int | str = "auto"
    ) -> None:
        """Learn the vocabulary: all terms of the data, the most frequent first, then by their order, the last first.

        Args:
            data: An array or a list of terms; or batches of them: a PyDataset, a generator, a data set of TensorFlow's,
                Grain's or PyTorch's. Of batches `(x, y)`, x is taken. For `tf_idf` a row is a document.
            batch_size: Rows of an array at a time.
            steps: The most batches that are taken.
            verbose: 0 shows nothing; 1 and 2 are those of `fit`; `auto` is a bar where one can be drawn.
        """
        self.reset_state()
        rows = is_array(data)
        for part in batches(data, self.title, batch_size, steps, verbose):
            terms = self._as_terms(part)
            self.update_state(terms[:, None] if rows and terms.ndim == 1 else terms)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count more terms; those of one row are one document."""
        self._check_adapting()
        terms = self._as_terms(data)
        self.count(terms.reshape(1, -1) if terms.ndim < 2 else terms.reshape(len(terms), -1))

    def count(self, documents: Any) -> None:
        """Count the terms of documents, an array a row each or a list of lists."""
        self._check_adapting()
        self._tally.add(documents, self.output_mode == "tf_idf")

    def _check_adapting(self) -> None:
        if self._has_input_vocabulary:
            raise StateError(f"{self.title} was given its vocabulary: there is nothing to adapt.")

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        if self._has_input_vocabulary or not self._tally:
            return
        tokens, weights = self._tally.result(
            {self.mask_token, self.oov_token}, None if self.max_tokens is None else self.max_tokens - self._start
        )
        if self.output_mode == "tf_idf":
            self.idf_weights = self._weights(weights, len(tokens), False)
        self._take(self.terms(tokens))
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._tally = Tally()

    def _listed(self, vocabulary: Any) -> list[Any]:
        return self.terms.of(vocabulary, f"vocabulary of {self.title}").ravel().tolist()

    def _as_terms(self, data: Any) -> np.ndarray:
        return self.terms.of(data, f"data of {self.title}")

    # -- looking up ----------------------------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """Terms of any shape; numbers where it inverts."""
        if self.invert:
            return self._inverse(inputs)
        return self.encoded(self.numbers_of(inputs))

    @property
    def halves_of_call(self) -> Any:
        """What of a call runs on the host, and what behind it; None where that is all on the host."""
        return None if self.output_mode == "int" else (self.numbers_of, self.encoded)

    def numbers_of(self, inputs: Any) -> np.ndarray:
        """The number of each term of the inputs."""
        return self.numbers(self._as_terms(inputs))

    def numbers(self, terms: np.ndarray) -> np.ndarray:
        """The number of each term, int64; -2 for what no vector counts."""
        start = self._oov_start
        alone = start if self.num_oov_indices == 1 else NONE
        mask = None if self.mask_token is None else (self.mask_token, 0 if self.output_mode == "int" else DROPPED)
        found = self._vocabulary.find(terms, self._start, alone, mask)
        if self.num_oov_indices != 1:
            unknown = found == NONE
            if np.any(unknown):
                found[unknown] = self._unknown(terms[unknown]) + start
        return found

    def _unknown(self, terms: np.ndarray) -> Any:
        """The number of each unknown term, among those for them."""
        if self.num_oov_indices == 0:
            if host.on_trial.get():
                return 0
            shown = ", ".join(map(repr, dict.fromkeys(terms.tolist()[:10])))
            raise DataError(f"{self.title} was given what is not in its vocabulary: {shown}. num_oov_indices=1 is one "
                            "number for all that.")  # fmt: skip
        if self.terms is Integers and self.oov_method == "floormod":
            return terms % self.num_oov_indices
        return bins(as_words(terms), self.num_oov_indices, self.salt)

    def depth(self) -> int:
        """The size of the vectors.

        Raises:
            StateError: Where the vocabulary is not known yet.
        """
        size = self.max_tokens if self.pad_to_max_tokens else self._known_size
        if size is None:
            raise StateError(f"{self.title} has no vocabulary yet: give it one, or call adapt(data), first.")
        return size

    def encoded(self, numbers: Any) -> Any:
        """The numbers as the output mode wants them."""
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return self.weighed(encode(numbers, mode, self.depth(), config.floatx()))

    def weighed(self, counts: Any) -> Any:
        """Counts times the weights, for `tf_idf`."""
        if self.output_mode != "tf_idf" or (self.idf_weights is None and host.on_trial.get()):
            return counts
        if self.idf_weights is None:
            raise StateError(f"{self.title} has no idf_weights yet: call adapt(data) first.")
        return counts * self.idf_weights

    def _inverse(self, inputs: Any) -> Any:
        tokens, places = self.places(np.asarray(inputs).astype("int64"), np)
        return tokens[places]

    def places(self, numbers: Any, library: Any) -> tuple[np.ndarray, Any]:
        """The mask, what stands for unknown terms and the terms, and where there each number has its own."""
        start, count = self._start, len(self._vocabulary)
        known = (numbers >= start) & (numbers < start + count)
        places = library.where(known, numbers - start + 2, 1)
        if self._oov_start:
            places = library.where(numbers == 0, 0, places)
        return self._vocabulary.array([self.mask_token, self.oov_token, *self._vocabulary.tolist()]), places

    # -- configs and files ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments; a vocabulary that was given as a list as well. Others are kept in files beside the config."""
        names = ("invert max_tokens num_oov_indices oov_token mask_token output_mode sparse pad_to_max_tokens "
                 "oov_method salt")  # fmt: skip
        own = {name: serialize(getattr(self, name)) for name in names.split()}
        base = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        learned = {"idf_weights": self.input_idf_weights, "vocabulary": self.input_vocabulary}
        if not self._fits_file():
            weights = None if self.idf_weights is None else self.idf_weights[: self.vocabulary_size()].tolist()
            learned = {"idf_weights": weights, "vocabulary": self.get_vocabulary()}
        return base | own | learned | {"vocabulary_size": self._known_size}

    def _fits_file(self) -> bool:
        """Whether the vocabulary can be written with a term a line; the config keeps others."""
        return not any(isinstance(term, str) and ("\n" in term or "\r" in term) for term in self._vocabulary.tolist())

    @reads
    def from_config(cls: Any, config: dict[str, Any]):
        """A layer made anew from what `get_config` gave, here or in Keras."""
        refuse_path(cls.__name__, config)
        layer = cls(**{name: value for name, value in config.items() if name != "vocabulary_size"})
        layer.expect(config.get("vocabulary_size"))
        return layer

    def get_build_config(self) -> dict[str, Any]:
        """Nothing: there are no weights to build."""
        return {}

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """The weights of `tf_idf`."""
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """The weights of `tf_idf`."""
        if "idf_weights" in store:
            self.idf_weights = np.array(store["idf_weights"])
            forget_programs(self)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary, a term a line, unless the config has it."""
        if self.input_vocabulary is None and self._fits_file():
            lines = map(str, self.get_vocabulary())
            (Path(dir_path) / "vocabulary.txt").write_text("\n".join(lines), "utf-8", newline="\n")

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote, or Keras."""
        if self.input_vocabulary is None:
            listed = self.terms.read(Path(dir_path) / "vocabulary.txt")
            tokens = listed[self._start :] if self._is_complete(listed) else listed
            lost = (self._known_size or 0) - self._start - len(tokens)
            if lost == 1 and self.terms is not Integers and "" not in tokens:
                tokens.append("")  # an empty word at the end, which looks like the end of the file
            if tokens:
                self._check_vocabulary(listed, tokens)
                self._take(self.terms(tokens))


def refuse_path(layer: str, config: dict[str, Any]) -> None:
    """Raise ConfigError where a config names a file: what a config says chooses no paths."""
    if isinstance(config.get("vocabulary"), str):
        raise ConfigError(
            f"The config of a {layer} names a file as its vocabulary, which is not read because a config says "
            "so. Make the layer, and call set_vocabulary(path)."
        )
