"""StringLookup and IntegerLookup: the number of each word or identifier in a vocabulary, and back."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from keryx.core.dtypes import narrowed
from keryx.errors import ConfigError
from keryx.layers.layer import registry
from keryx.layers.preprocessing.index_lookup import DROPPED, NONE, IndexLookup
from keryx.layers.preprocessing.vocabulary import Integers, Words


@registry.register()
class StringLookup(IndexLookup):
    """The number of each word in a vocabulary, or the word of each number. It runs on the host.

    Args:
        max_tokens: The most numbers there are, with those of the mask and of unknown words; default no limit.
        num_oov_indices: How many numbers unknown words are spread over, by their hash; default 1. With 0 they raise.
        mask_token: The word that is 0, and that no vector counts; default None.
        oov_token: What `invert` gives for an unknown word; default `"[UNK]"`.
        vocabulary: The words in order, or the path of a text file with one a line; else `adapt` learns them.
        idf_weights: The weight of each word, for `tf_idf`.
        invert: Whether it goes from numbers to words.
        output_mode: `"int"` (default): the numbers; `"one_hot"`, `"multi_hot"`, `"count"`: vectors as
            CategoryEncoding's; `"tf_idf"`: counts times the inverse document frequency `log(1 + n / (1 + n_word))` of
            `n` documents, `n_word` of them with the word.
        pad_to_max_tokens: Whether vectors have `max_tokens` elements, however few words there are.
        sparse: Not offered: True raises.
        encoding: Of the text files of Keras; text here is str.
        name: The layer's name.
        salt: An integer, or two, that hashes unknown words by SipHash-2-4; else it is FarmHash's Fingerprint64.

    Shapes: shape in, same shape out, int64; in other modes as CategoryEncoding, float32.

    Raises:
        ConfigError: For arguments that do not go together.
        DataError: For words that are not in the vocabulary where `num_oov_indices` is 0; for what is no text.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.StringLookup()
    >>> layer.adapt(["ant", "bee", "bee"])
    >>> layer.get_vocabulary(), layer(np.array([["bee", "cow", "ant"]])).tolist()
    (['[UNK]', 'bee', 'ant'], [[1, 0, 2]])
    """

    on_host = True
    terms = Words

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        self.encoding, self.takes_text = encoding, not invert
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt=salt, name=name, **kwargs,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        """The arguments, and the vocabulary where it was given as a list."""
        return super().get_config() | {"encoding": self.encoding}


@registry.register()
class IntegerLookup(IndexLookup):
    """The number of each integer in a vocabulary, such as of identifiers, or the other way round.

    It runs where its inputs are: on NumPy arrays, or on the device behind a layer that runs there.

    Args:
        max_tokens: The most numbers there are, with those of the mask and of unknown integers; default no limit.
        num_oov_indices: How many numbers unknown integers are spread over; default 1. With 0 they raise on the host
            and are -1 on the device.
        mask_token: The integer that is 0, and that no vector counts; default None.
        oov_token: What `invert` gives for an unknown integer; default -1.
        vocabulary: The integers in order, or the path of a text file with one a line; else `adapt` learns them.
        vocabulary_dtype: `"int64"`.
        idf_weights: The weight of each integer, for `tf_idf`.
        invert: Whether it goes from numbers back.
        output_mode: As of StringLookup.
        sparse: Not offered: True raises.
        pad_to_max_tokens: Whether vectors have `max_tokens` elements, however few integers there are.
        oov_method: How unknown integers are spread: `"floormod"` (default), by the remainder; or `"farmhash"`.
        salt: An integer, or two, for SipHash-2-4 in place of FarmHash.
        name: The layer's name.

    Shapes: shape in, same shape out, int64; in other modes as CategoryEncoding, float32.

    Raises:
        ConfigError: For arguments that do not go together.
        DataError: For integers that are not in the vocabulary where `num_oov_indices` is 0.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer(np.array([[12, 1138, 42], [42, 1000, 36]])).tolist()
    [[1, 3, 4], [4, 0, 2]]
    """

    on_host = None
    terms = Integers

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
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
        if vocabulary_dtype != "int64":
            raise ConfigError(f"IntegerLookup: vocabulary_dtype is 'int64'; got {vocabulary_dtype!r}.")
        self.vocabulary_dtype = vocabulary_dtype
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, oov_method, salt, name=name, **kwargs,
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        """Integers of any shape, of NumPy or on the device."""
        if isinstance(inputs, np.ndarray):
            return super().call(inputs)
        x, start, what = inputs.astype("int32"), self._oov_start, f"vocabulary of {self.title}"
        if self.invert:
            tokens, places = self.places(x, jnp)
            return jnp.asarray(narrowed(tokens, what))[places]
        if self.num_oov_indices > 1 and self.oov_method != "floormod":
            raise ConfigError(f"{self.title}: oov_method='farmhash' hashes text, on the host: put the layer first.")
        found = jnp.full(x.shape, NONE, "int32")
        if len(self._vocabulary):
            ordered = jnp.asarray(narrowed(self._vocabulary.ordered, what))
            places = jnp.minimum(jnp.searchsorted(ordered, x), len(ordered) - 1)
            found = jnp.where(ordered[places] == x, jnp.asarray(self._vocabulary.order)[places] + self._start, found)
        if self.num_oov_indices:
            found = jnp.where(found == NONE, x % self.num_oov_indices + start, found)
        if self.mask_token is not None:
            found = jnp.where(x == self.mask_token, 0 if self.output_mode == "int" else DROPPED, found)
        return self.encoded(found)

    def get_config(self) -> dict[str, Any]:
        """The arguments, and the vocabulary where it was given as a list."""
        return super().get_config() | {"vocabulary_dtype": self.vocabulary_dtype}
