"""TextVectorization: texts as the numbers of their words, or as one vector each."""

from itertools import chain
from typing import Any

import numpy as np

from keryx import config
from keryx.core import host
from keryx.core.codec import deserialize, reads, serialize
from keryx.errors import ConfigError, ShapeError, listing
from keryx.layers.layer import Layer, registry
from keryx.layers.preprocessing.adapting import batches, is_array
from keryx.layers.preprocessing.encoding import counted, mode_of, refuse_sparse
from keryx.layers.preprocessing.index_lookup import refuse_path
from keryx.layers.preprocessing.lookup import StringLookup
from keryx.layers.preprocessing.text import SPLIT, STANDARDIZE, ngrams, padded, places, standardized, tokens_of


@registry.register()
class TextVectorization(Layer):
    """Texts as numbers: standardized, split into words, joined to n-grams, looked up. It runs on the host.

    Args:
        max_tokens: The most numbers there are, with those of padding and of unknown words; default no limit.
        standardize: `"lower_and_strip_punctuation"` (default), `"lower"`, `"strip_punctuation"`, None, or a function of
            an array of str. Case and punctuation are ASCII's, as in TensorFlow.
        split: `"whitespace"` (default), `"character"`, None, or a function of an array of str that gives a list of
            words for each.
        ngrams: A number n: runs of 1 to n words; a tuple: runs of these lengths; default None.
        output_mode: `"int"` (default): a number a word, 0 where a text is over, 1 for unknown words; `"multi_hot"`,
            `"count"`, `"tf_idf"`: a vector a text, as StringLookup's.
        output_sequence_length: How many numbers a text has; by default as many as the longest.
        pad_to_max_tokens: Whether vectors have `max_tokens` elements, however few words there are.
        vocabulary: The words in order, or the path of a text file with one a line; else `adapt` learns them.
        idf_weights: The weight of each word, for `tf_idf`.
        sparse: Not offered: True raises.
        ragged: Not offered: True raises.
        encoding: Of the text files of Keras; text here is str.
        name: The layer's name.

    Shapes: `(batch,)` or `(batch, 1)` gives `(batch, length)` int64, or `(batch, size)` float32. Without a split,
    `(batch, words)`.

    Raises:
        ConfigError: For arguments that do not go together.
        ShapeError: For more than one text a row, where they are split.

    >>> import keryx
    >>> layer = keryx.layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer(["foo qux bar", "Qux, baz!"]).tolist()
    [[4, 1, 3, 0], [1, 2, 0, 0]]
    """

    on_host = takes_text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        refuse_sparse("TextVectorization", sparse)
        refuse_sparse("TextVectorization", ragged, "ragged")
        for what, value, words in (("standardize", standardize, STANDARDIZE), ("split", split, SPLIT)):
            if value is not None and not callable(value) and value not in words:
                raise ConfigError(f"{self.title}: {what} is {listing(words)}, None or a function; got {value!r}.")
        self.output_mode = mode_of("TextVectorization", output_mode, ("int", "one_hot", "multi_hot", "count", "tf_idf"))
        widths = (ngrams,) if isinstance(ngrams, int) else ngrams if ngrams is not None else ()
        if not isinstance(widths, tuple) or not all(isinstance(n, int) and n > 0 for n in widths):
            raise ConfigError(f"{self.title}: ngrams is None, a number or a tuple of numbers; got {ngrams!r}.")
        if output_sequence_length is not None and (
            self.output_mode != "int" or not isinstance(output_sequence_length, int)
        ):
            raise ConfigError(f"{self.title}: output_sequence_length is a number, and goes with output_mode='int'.")
        self.standardize, self.split, self.ngrams = standardize, split, ngrams
        self.output_sequence_length, self.encoding = output_sequence_length, encoding
        self.sparse, self.ragged = sparse, ragged
        if split is not None and self._declared_shape is None:
            self._declared_shape = (None, 1)  # so that it may be the first of a Sequential
        # Named so in Keras's files, where the vocabulary is kept with it once more.
        self._lookup_layer = StringLookup(
            max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights, output_mode=self.output_mode,
            pad_to_max_tokens=pad_to_max_tokens, encoding=encoding,
        )  # fmt: skip

    @property
    def max_tokens(self) -> int | None:
        """The most numbers there are."""
        return self._lookup_layer.max_tokens

    @property
    def pad_to_max_tokens(self) -> bool:
        """Whether vectors have `max_tokens` elements."""
        return self._lookup_layer.pad_to_max_tokens

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A row for each text."""
        *rows, last = input_shape if self.split is None and len(input_shape) > 1 else (*input_shape[:1], None)
        if self.output_mode != "int":
            one = self.output_mode == "one_hot"
            return (*rows, last, self._lookup_layer.depth()) if one else (*rows, self._lookup_layer.depth())
        return (*rows, self.output_sequence_length or (None if self.ngrams or self.split is not None else last))

    @property
    def halves_of_call(self) -> Any:
        """What of a call runs on the host, and what behind it; None where that is all on the host."""
        return None if self.output_mode == "int" else (self.numbers_of, self._lookup_layer.encoded)

    def numbers_of(self, inputs: np.ndarray) -> np.ndarray:
        """The numbers of the words of each text, filled up with -1."""
        words = self._words(host.as_text(inputs, f"input of {self.title}"))
        if isinstance(words, np.ndarray):
            return self._lookup_layer.numbers(words)
        numbers, lengths = self._numbers(words)
        longest = int(lengths.max(initial=0))
        size = max(8, 1 << (longest - 1).bit_length()) if longest else 0  # of few sizes, for each is compiled
        return padded(numbers + 1, lengths, size) - 1

    def _numbers(self, words: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all words, and how many each text has."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        flat = np.empty(int(lengths.sum()), object)
        flat[:] = list(chain.from_iterable(words))
        return self._lookup_layer.numbers(flat), lengths

    def call(self, inputs: np.ndarray) -> np.ndarray:
        """Texts."""
        words = self._words(host.as_text(inputs, f"input of {self.title}"))
        lookup = self._lookup_layer
        if isinstance(words, np.ndarray):
            found = lookup.call(words)
            length = self.output_sequence_length
            if length is not None and found.ndim:
                found = found[..., :length]
                found = np.pad(found, [(0, 0)] * (found.ndim - 1) + [(0, length - found.shape[-1])])
            return found
        numbers, lengths = self._numbers(words)
        if self.output_mode in ("int", "one_hot"):
            found = padded(numbers, lengths, self.output_sequence_length)
            found = found if self.output_mode == "int" else lookup.encoded(padded(numbers + 1, lengths, None) - 1)
        else:
            mode = "count" if self.output_mode == "tf_idf" else self.output_mode
            shape, dtype = (len(words),), config.floatx()
            found = lookup.weighed(counted(places(lengths)[0], numbers, shape, lookup.depth(), mode, dtype))
        return found if inputs.ndim else found[0]

    def _words(self, texts: np.ndarray) -> Any:
        """The words of texts: a list of lists, or an array where nothing is split."""
        texts = standardized(texts, self.standardize)
        if self.split is None:
            rows = ngrams(texts.reshape(-1, texts.shape[-1]).tolist(), self.ngrams) if self.ngrams else None
            if rows is None:
                return texts
            return np.array(rows, object).reshape(*texts.shape[:-1], len(rows[0]) if rows else 0)
        if texts.ndim > 1 and texts.shape[-1] != 1:
            raise ShapeError(f"{self.title} splits one text a row, (batch,) or (batch, 1); got {texts.shape}.")
        words = tokens_of(texts.ravel(), self.split)
        return ngrams(words, self.ngrams) if self.ngrams else words

    @property
    def _lookup(self) -> StringLookup:
        """The lookup, about to change: it is part of the models that this layer is part of."""
        self._lookup_layer.nodes = self.nodes
        return self._lookup_layer

    # -- the vocabulary ------------------------------------------------------------------------------------------

    def adapt(
        self, data: Any, batch_size: int | None = None, steps: int | None = None, verbose: int | str = "auto"
    ) -> None:
        """Learn the vocabulary: all words of the data, the most frequent first, then by their order, the last first.

        Args:
            data: An array or a list of texts; or batches of them: a PyDataset, a generator, a data set of TensorFlow's,
                Grain's or PyTorch's. Of batches `(x, y)`, x is taken.
            batch_size: Rows of an array at a time.
            steps: The most batches that are taken.
            verbose: 0 shows nothing; 1 and 2 are those of `fit`; `auto` is a bar where one can be drawn.
        """
        self.reset_state()
        rows = is_array(data)
        for part in batches(data, self.title, batch_size, steps, verbose):
            texts = host.as_text(part, f"data of {self.title}")
            self.update_state(texts[:, None] if rows and texts.ndim == 1 else texts)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of more texts."""
        words = self._words(host.as_text(data, f"data of {self.title}"))
        if isinstance(words, np.ndarray):
            self._lookup_layer.update_state(words)
        else:
            self._lookup_layer.count(words)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The vocabulary, in the order of its numbers; with `""` and `"[UNK]"` before it."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many numbers there are, with those of padding and of unknown words."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary, in place of `adapt`: see StringLookup."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    # -- configs and files ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments; a vocabulary that was given as a list as well. Others are kept in files beside the config."""
        names = "max_tokens standardize split ngrams output_mode output_sequence_length pad_to_max_tokens sparse ragged"
        base = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        inner = self._lookup_layer.get_config()
        learned = {name: inner[name] for name in ("vocabulary", "idf_weights", "encoding")}
        own = {name: serialize(getattr(self, name)) for name in names.split()}
        return base | own | learned | {"vocabulary_size": self.vocabulary_size()}

    @reads
    def from_config(cls: Any, config: dict[str, Any]):
        """A layer made anew from what `get_config` gave, here or in Keras."""
        refuse_path(cls.__name__, config)
        config = {name: deserialize(value) for name, value in config.items()}
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        layer = cls(**{name: value for name, value in config.items() if name != "vocabulary_size"})
        layer._lookup_layer.expect(config.get("vocabulary_size"))
        return layer

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """The weights of `tf_idf`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """The weights of `tf_idf`."""
        self._lookup.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary, a word a line, unless the config has it."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote, or Keras."""
        self._lookup.load_assets(dir_path)
