"""Files that older Keras wrote, and what their models computed: fixtures/make.sh made them."""

import atexit
import functools
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"


@functools.cache
def folder(age):
    """A folder with the files of one age."""
    place = Path(tempfile.mkdtemp(prefix="keryx_"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    with zipfile.ZipFile(FIXTURES / f"{age}.zip") as archive:
        archive.extractall(place)
    return place


def names(age, suffix):
    with zipfile.ZipFile(FIXTURES / f"{age}.zip") as archive:
        found = (Path(name) for name in archive.namelist())
        return sorted(path.stem for path in found if path.suffix == suffix and not path.stem.endswith(".weights"))


class Record:
    """What a model was given, and what it computed before and after five more steps of training."""

    def __init__(self, age, name):
        arrays = np.load(folder(age) / f"{name}.npz")
        self.x, self.y, self.before, self.after = (
            [arrays[key] for key in sorted(arrays) if key[0] == letter] for letter in "xypq"
        )

    def difference(self, model, wanted):
        outputs = model.predict(alone(self.x), verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        assert [o.shape for o in outputs] == [w.shape for w in wanted]
        return max(abs(o - w).max() for o, w in zip(outputs, wanted, strict=True))

    def train(self, model):
        for _ in range(5):
            model.train_on_batch(alone(self.x), alone(self.y))


def alone(values):
    return values if len(values) > 1 else values[0]
