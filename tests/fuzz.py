"""Random functional models, grown alike in Keras and in Keryx; outputs, gradients, states and configs have to agree.

    python -m tests.fuzz --seeds 2000 --first 200

tries as many as you have time for, and prints the seeds at which the two disagree.
"""

import argparse
import functools
import json
import sys
import traceback
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np

import keryx

BATCH, LARGEST = 3, 300  # elements of a sample beyond which a tensor is made smaller
ACTIVATIONS = [
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "gelu",
    "silu",
    "hard_sigmoid",
]
ELEMENTWISE = ["tanh", "sigmoid", "sin", "abs", "square", "relu", "softplus"]
INPUTS = [((4,), "float32"), ((5, 3), "float32"), ((6, 6, 2), "float32"), ((5,), "int32")]


class Grower:
    """Grows one model; with the same seed it makes the same choices in either library.

    Args:
        library: keras or keryx.
        seed: Where the choices begin.
        calls: The most calls.
    """

    def __init__(self, library, seed, calls):
        self.K, self.L, self.rng = library, library.layers, np.random.default_rng(seed)
        self.calls = calls
        self.training = bool(self.rng.random() < 0.5)
        self.rate = 0.0 if self.training else 0.4  # what drops at random is compared where it does not
        self.layers = []  # that may be shared, each with the shape that it was built for
        self.penalties = 0  # of activities; Keras counts those of one call of a shared layer alone

    def pick(self, *options):
        return options[self.rng.integers(len(options))]

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def model(self):
        """Inputs, some calls, and as outputs whatever no call has used."""
        inputs, pool, used = [], [], set()
        for n in range(self.rng.integers(1, 4)):
            shape, dtype = self.pick(*INPUTS)
            x = self.K.Input(shape, dtype=dtype, name=f"in{n}")
            inputs.append(x)
            pool.append(self.embedded(x) if dtype == "int32" else x)
        first = len(pool)
        for _ in range(self.rng.integers(2, self.calls + 1)):
            at = int(self.rng.integers(len(pool)))
            others = [i for i, x in enumerate(pool) if i != at and x.shape[1:] == pool[at].shape[1:]]
            if others and self.chance(0.5):
                other = self.pick(*others)
                used |= {at, other}
                pool.append(self.merged(pool[at], pool[other]))
            else:
                used.add(at)
                pool.append(self.grown(pool[at]))
        ends = [self.L.Identity()(x) if i < first else x for i, x in enumerate(pool) if i not in used]
        return self.K.Model(inputs, ends if len(ends) > 1 or self.chance(0.5) else ends[0], name="grown")

    def embedded(self, x):
        return self.L.Embedding(6, self.pick(3, 4), mask_zero=self.chance(0.5))(x)

    def merged(self, x, y):
        L, K = self.L, self.K
        named = self.pick("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum", "Concatenate")
        return self.pick(
            lambda: getattr(L, named)()([x, y]),
            lambda: L.Concatenate(axis=self.pick(-1, 1))([x, y]),
            lambda: L.Dot(axes=self.pick(-1, 1), normalize=self.chance(0.5))([x, y]) if len(x.shape) < 4 else x * y,
            lambda: x + 0.5 * y,
            lambda: K.ops.maximum(x, y) - y,
            lambda: K.ops.concatenate([x, y], axis=-1),
            lambda: L.Attention(use_scale=self.chance(0.5))([x, y]) if len(x.shape) == 3 else x - y,
            lambda: self.attention()(1.0 * x, y) if len(x.shape) == 3 else x / (1.0 + y * y),
        )()

    def grown(self, x):
        shared = [layer for layer, shape in self.layers if shape == x.shape]
        if shared and self.chance(0.3):
            return self.pick(*shared)(x)
        size = int(np.prod(x.shape[1:]))
        if size > LARGEST:
            return self.smaller(x)
        if self.chance(0.15):
            return self.op(x)
        makers = [self.any_rank, {2: self.vector, 3: self.sequence, 4: self.image}.get(len(x.shape), self.any_rank)]
        penalties = self.penalties
        layer = self.pick(*makers, makers[-1])(x)
        if self.penalties == penalties:
            self.layers.append((layer, x.shape))
        return layer(x)

    def smaller(self, x):
        pools = {3: self.L.GlobalAveragePooling1D, 4: self.L.GlobalAveragePooling2D}
        return pools[len(x.shape)]()(x) if len(x.shape) in pools else self.L.Dense(4)(self.L.Flatten()(x))

    def op(self, x):
        K, axis = self.K, int(self.rng.integers(1, len(x.shape)))
        return self.pick(
            lambda: 2.0 * x - 1.0,
            lambda: getattr(K.ops, self.pick(*ELEMENTWISE))(x),
            lambda: x[:, : self.pick(1, 2)],
            lambda: x[..., 1:] if x.shape[-1] > 1 else -x,
            lambda: K.ops.softmax(x, axis=axis),
            lambda: K.ops.flip(x, axis=axis),
            lambda: x - K.ops.mean(x, axis=axis, keepdims=True),
            lambda: K.ops.clip(x, -1.0, 1.0),
            lambda: K.ops.where(x > 0, x, 0.1 * x),
        )()

    # -- layers --------------------------------------------------------------------------------------------------

    def weighted(self, bias=True):
        """Arguments of layers with a kernel."""
        words = {"activation": self.pick(*ACTIVATIONS), "use_bias": self.chance(0.8)}
        if self.chance(0.2):
            words["kernel_regularizer"] = self.pick("l1", "l2")
        if self.chance(0.15):
            words["activity_regularizer"] = "l2"
            self.penalties += 1
        return words

    def spatial(self, x, least=1):
        """Arguments of windows that fit the smallest axis of space."""
        return {
            "kernel_size": int(self.rng.integers(1, min(3, *x.shape[1:-1]) + 1)),
            "strides": self.pick(1, 1, 2),
            "padding": self.pick("valid", "same"),
        }

    def any_rank(self, x):
        L = self.L
        axes = [int(self.rng.integers(1, len(x.shape)))]
        return self.pick(
            lambda: L.Dense(self.pick(3, 4), **self.weighted()),
            lambda: L.Activation(self.pick(*ACTIVATIONS)),
            lambda: L.BatchNormalization(
                momentum=self.pick(0.9, 0.99), scale=self.chance(0.8), center=self.chance(0.8)
            ),
            lambda: L.LayerNormalization(axis=self.pick(-1, axes), epsilon=1e-2),
            lambda: L.RMSNormalization(epsilon=1e-2),
            lambda: L.UnitNormalization(),
            lambda: L.Dropout(self.rate),
            lambda: L.GaussianNoise(self.rate),
            lambda: L.AlphaDropout(self.rate),
            lambda: L.LeakyReLU(negative_slope=0.2),
            lambda: L.PReLU(shared_axes=self.pick(None, [1])),
            lambda: L.ELU(alpha=0.5),
            lambda: L.ReLU(max_value=self.pick(None, 0.8), negative_slope=self.pick(0.0, 0.1), threshold=0.2),
            self.penalty,
            lambda: L.Flatten(),
            lambda: L.GroupNormalization(self.pick(1, -1), epsilon=1e-2),
        )()

    def penalty(self):
        self.penalties += 1
        return self.L.ActivityRegularization(l1=0.1, l2=0.1)

    def vector(self, x):
        L, K, width = self.L, self.K, x.shape[-1]
        return self.pick(
            lambda: L.RepeatVector(self.pick(2, 4)),
            lambda: L.Reshape((width, 1)),
            lambda: L.Reshape((-1, 2) if width % 2 == 0 else (1, -1)),
            lambda: K.Sequential([K.Input((width,)), L.Dense(4, "relu"), L.Dense(3, **self.weighted())]),
            lambda: self.nested(width),
            lambda: L.Softmax(),
        )()

    def nested(self, width):
        i = self.K.Input((width,))
        h = self.L.Dense(4, **self.weighted())(i)
        return self.K.Model(i, self.L.Add()([h, self.L.Dense(4)(i)]))

    def recurrent(self, **words):
        named = self.pick("LSTM", "GRU", "SimpleRNN")
        words = {"go_backwards": self.chance(0.3), "unroll": self.chance(0.3)} | words
        words |= {"return_sequences": self.chance(0.5), "use_bias": self.chance(0.8)}
        words |= {"dropout": self.rate, "activation": self.pick("tanh", "tanh", "relu")}
        words |= {"reset_after": self.chance(0.7)} if named == "GRU" else {}
        return getattr(self.L, named)(self.pick(3, 4), **words)

    def attention(self):
        return self.L.MultiHeadAttention(2, 3, use_bias=self.chance(0.7))

    def sequence(self, x):
        L, time = self.L, x.shape[1]
        filters = self.pick(2, 4)
        return self.pick(
            self.recurrent,
            self.recurrent,
            lambda: L.Bidirectional(
                self.recurrent(go_backwards=False), merge_mode=self.pick("concat", "sum", "mul", "ave")
            ),
            lambda: L.TimeDistributed(L.Dense(3, self.pick(*ACTIVATIONS))),
            lambda: L.Conv1D(filters, **self.spatial(x), **self.weighted()),
            lambda: L.Conv1D(filters, 2, padding="causal", dilation_rate=self.pick(1, 2)),
            lambda: L.SeparableConv1D(filters, **self.spatial(x)),
            lambda: L.DepthwiseConv1D(**self.spatial(x), depth_multiplier=self.pick(1, 2)),
            lambda: L.Conv1DTranspose(filters, **self.spatial(x)),
            lambda: L.MaxPooling1D(min(2, time), padding=self.pick("valid", "same")),
            lambda: L.AveragePooling1D(min(2, time), strides=1, padding=self.pick("valid", "same")),
            lambda: L.GlobalAveragePooling1D(keepdims=self.chance(0.3)),
            lambda: L.GlobalMaxPooling1D(),
            lambda: L.ZeroPadding1D(self.pick(1, (0, 2))),
            lambda: L.Cropping1D((1, 0)) if time > 1 else L.Identity(),
            lambda: L.UpSampling1D(2),
            lambda: L.Permute((2, 1)),
            lambda: L.EinsumDense("...x,xy->...y", 4, bias_axes=self.pick(None, "y")),
            lambda: L.SpatialDropout1D(self.rate),
            lambda: L.Masking(0.0),
        )()

    def image(self, x):
        L = self.L
        side, filters = min(x.shape[1:3]), self.pick(2, 4)
        return self.pick(
            lambda: L.Conv2D(filters, **self.spatial(x), **self.weighted()),
            lambda: L.Conv2D(filters, min(2, side), padding="same", dilation_rate=2),
            lambda: L.SeparableConv2D(filters, **self.spatial(x)),
            lambda: L.DepthwiseConv2D(**self.spatial(x), depth_multiplier=self.pick(1, 2)),
            lambda: L.Conv2DTranspose(filters, **self.spatial(x)),
            lambda: L.MaxPooling2D(min(2, side), padding=self.pick("valid", "same")),
            lambda: L.AveragePooling2D(min(2, side), strides=1, padding=self.pick("valid", "same")),
            lambda: L.GlobalAveragePooling2D(),
            lambda: L.GlobalMaxPooling2D(keepdims=self.chance(0.3)),
            lambda: L.ZeroPadding2D(self.pick(1, (1, 0), ((1, 0), (0, 2)))),
            lambda: L.Cropping2D(((1, 0), (0, 1))) if side > 1 else L.Identity(),
            lambda: L.UpSampling2D(self.pick(1, 2), interpolation=self.pick("nearest", "bilinear")),
            lambda: L.Permute((2, 1, 3)),
            lambda: L.Reshape((-1, x.shape[-1])),
            lambda: L.SpatialDropout2D(self.rate),
            lambda: L.TimeDistributed(L.Conv1D(filters, 1)),
        )()


# -- the comparison ----------------------------------------------------------------------------------------------------


def grown(library, seed, calls):
    """The model of a seed, and whether it is compared as in training."""
    library.utils.clear_session(free_memory=False)
    grower = Grower(library, seed, calls)
    return grower.model(), grower.training


def drawn(model, seed):
    """Inputs and weights for a model, drawn by its shapes."""
    rng = np.random.default_rng(seed)
    inputs = [
        rng.integers(0, 6, (BATCH, *x.shape[1:])).astype("int32")
        if "int" in str(x.dtype)
        else rng.normal(size=(BATCH, *x.shape[1:])).astype("float32")
        for x in model.inputs
    ]
    weights = [rng.normal(size=tuple(w.shape)).astype("float32") / 2 for w in model.weights]
    positive = ["variance" in v.path for v in model.weights]
    return inputs, [abs(w) + 0.5 if p else w for w, p in zip(weights, positive, strict=True)]


def numbers(model, inputs, weights, training):
    """Outputs, gradients of a loss in the outputs, and what a step leaves of the other variables."""
    model.set_weights(weights)
    rest = model.non_trainable_variables

    def loss(values):
        outputs, new, added = model.stateless_call(
            values, [v.value for v in rest], inputs, training=training, return_losses=True
        )
        total = sum(added) + sum(jnp.sum(jnp.sin(y) * (1 + i)) for i, y in enumerate(jax.tree.leaves(outputs)))
        kept = [value for value, v in zip(new, rest, strict=True) if "seed" not in v.path]
        return total, (outputs, kept)

    values = [v.value for v in model.trainable_variables]
    (total, seen), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(values)
    return total, seen, gradients


def told(model):
    """What a config says of each layer, and of each call as nested text; Keras may number a layer's calls otherwise."""
    config = json.loads(json.dumps(model.get_config()))
    layers = {entry["name"]: entry for entry in config["layers"]}

    def spoken(part):
        if isinstance(part, list):
            return [spoken(p) for p in part]
        if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
            return call(*part["config"]["keras_history"])
        if isinstance(part, dict):  # Keras writes training=False into a call, and passes over it
            return {key: spoken(p) for key, p in part.items() if (key, p) != ("training", False)}
        return part

    @functools.cache
    def call(name, node, index):
        return hash((name, index, json.dumps(spoken(layers[name]["inbound_nodes"][node : node + 1]), sort_keys=True)))

    calls = sorted(call(name, n, 0) for name, entry in layers.items() for n in range(len(entry["inbound_nodes"])))
    for entry in layers.values():  # some of Keras's keep the key of a regularizer that is not there
        if entry["config"].get("activity_regularizer", 0) is None:
            del entry["config"]["activity_regularizer"]
    return {name: (entry["class_name"], entry["config"]) for name, entry in layers.items()}, calls


def compare(seed, calls=4, tolerance=1e-4):
    """Raise AssertionError where the two libraries do not agree on the model of this seed."""
    theirs, training = grown(keras, seed, calls)
    ours, _ = grown(keryx, seed, calls)
    assert [tuple(y.shape) for y in ours.outputs] == [tuple(y.shape) for y in theirs.outputs]
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    inputs, weights = drawn(theirs, seed)
    got, want = (numbers(model, inputs, weights, training) for model in (ours, theirs))
    got, want = jax.tree.leaves(got), jax.tree.leaves(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(b).max(initial=0))))
    for read in (ours, keryx.models.model_from_json(theirs.to_json())):
        keras.utils.clear_session(free_memory=False)  # it counts the names of the ops that make masks
        assert told(keras.models.model_from_json(read.to_json())) == told(theirs)
    assert told(keryx.models.model_from_json(ours.to_json())) == told(ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first")
    parser.add_argument("--calls", type=int, default=9, help="the most calls of a model")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    jax.config.update("jax_disable_most_optimizations", True)
    failed = []
    for seed in range(given.first, given.first + given.seeds):
        try:
            compare(seed, given.calls)
        except Exception as error:
            failed.append(seed)
            lines = [line for line in str(error).splitlines() if line.strip()]
            print(f"seed {seed}: {type(error).__name__}: {' '.join(lines[:6])[:300]}", flush=True)
            if given.verbose:
                traceback.print_exc()
    print(f"{given.seeds - len(failed)} of {given.seeds} agree.")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
