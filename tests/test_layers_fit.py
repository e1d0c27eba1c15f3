"""Every layer of the table within fit: from arrays, from a generator and from a PyDataset, to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from specs import SPECS
from test_specs import arguments, inputs_of, shapes_of

import keryx

# One row a layer: the first that is called on its inputs alone.
ROWS = {}
for _spec in SPECS:
    if not _spec.call and _spec.masks is None and not _spec.init.get("return_state"):
        ROWS.setdefault(_spec.layer, _spec)


class Batches(keryx.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return jax.tree.map(lambda a: a[2 * i : 2 * i + 2], (self.x, self.y))


def model_of(spec):
    """The layer before a Dense one, which learns where the layer itself has nothing to learn."""
    inputs = [keryx.Input(shape[1:], dtype=spec.input_dtype) for shape in shapes_of(spec)]
    outputs = getattr(keryx.layers, spec.layer)(**spec.init, name="layer")(*arguments(spec, inputs))
    first = jax.tree.leaves(outputs)[0]
    return keryx.Model(inputs, keryx.layers.Dense(1)(keryx.layers.Flatten()(keryx.ops.cast(first, "float32"))))


@pytest.mark.parametrize("spec", ROWS.values(), ids=ROWS)
def test_the_same_from_arrays_a_generator_and_a_dataset(spec):
    model = model_of(spec)
    begin = model.get_weights()
    x = [np.concatenate([a, a[::-1]]) for a in inputs_of(spec)]
    y = np.linspace(-1, 1, 4, dtype="float32")[:, None]
    x = x[0] if len(x) == 1 else x
    data = Batches(x, y)
    ends = []
    for given in ({"x": x, "y": y}, {"x": (data[i] for i in (0, 1)), "steps_per_epoch": 2}, {"x": data}):
        keryx.utils.set_random_seed(3)
        model.set_weights(begin)
        model.compile("sgd", "mse")  # begins anew: the same random keys
        model.fit(**given, batch_size=2 if "y" in given else None, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert any(np.any(a != b) for a, b in zip(begin, ends[0], strict=True))
    for other in ends[1:]:
        for a, b in zip(ends[0], other, strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    assert jnp.isfinite(jnp.asarray(model.predict(data, verbose=0))).all()
