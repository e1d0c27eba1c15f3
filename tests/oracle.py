"""Keras on JAX with the same weights: outputs and gradients side by side."""

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import scope


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def same_weights(ours, theirs, seed=3):
    """Give both layers the same drawn weights; their names and shapes have to agree."""
    own = [v for v in ours.weights if v.name != "rnn_state"]  # Keras does not count the kept states
    assert [v.name for v in own] == [v.name for v in theirs.weights]
    assert [v.shape for v in own] == [tuple(v.shape) for v in theirs.weights]
    values = [array(*v.shape, seed=seed + i) / 2 for i, v in enumerate(own)]
    for variable, value in zip(own, values, strict=True):
        variable.assign(value)
    theirs.set_weights(values)


def close(got, want, tolerance=1e-5):
    got, want = jax.tree.leaves(got), jax.tree.leaves(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def loss(outputs):
    return sum(jnp.vdot(y, array(*y.shape, seed=8 + i)) for i, y in enumerate(jax.tree.leaves(outputs)))


def compare(ours, theirs, x, training=False, **words):
    """Build both, copy weights, then compare outputs and the gradients of inputs and weights."""
    ours(x, **words)
    theirs(x, **words)
    same_weights(ours, theirs)
    call = scope.pure(ours, ours.weights, training)
    fixed = [v.value for v in theirs.non_trainable_variables]

    def ours_loss(values, x, words):
        outputs, _, _ = call(values, None, x, training=training, **words)
        return loss(outputs), outputs

    def theirs_loss(values, x, words):
        outputs, _ = theirs.stateless_call(values, fixed, x, training=training, **words)
        return loss(outputs), outputs

    words = jax.tree.map(jnp.asarray, words)
    floats = {k: v for k, v in words.items() if k != "mask"}
    others = {k: v for k, v in words.items() if k == "mask"}
    results = []
    for function, layer in ((ours_loss, ours), (theirs_loss, theirs)):
        values = [jnp.asarray(v.value) for v in layer.trainable_variables]
        rest = [] if function is theirs_loss else [v.value for v in ours.non_trainable_variables]
        run = jax.grad(lambda v, x, w, f=function, r=rest: f([*v, *r], x, {**w, **others}), (0, 1, 2), has_aux=True)
        results.append(jax.jit(run)(values, x, floats))
    close(*results)
    return results[0]
