"""Training that is killed at random moments: what lies on the disk always loads, and the run ends with the same bits.

`python tests/files/kills.py 200` takes a few minutes; the tests kill a few times.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def train(folder):
    """A run with all that draws, counts and remembers; it goes on with what a killed one left."""
    import numpy as np

    import keryx
    from keryx import layers
    from keryx.callbacks import BackupAndRestore, Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

    class Begun(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            (folder / "begun").touch()

    keryx.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(250, 8)).astype("float32"), rng.normal(size=(250, 1)).astype("float32")
    model = keryx.Sequential(
        [keryx.Input((8,)), layers.Dense(16, activation="relu"), layers.Dropout(0.3), layers.BatchNormalization()]
    )
    model.add(layers.GaussianNoise(0.1))
    model.add(layers.Dense(1))
    model.compile(keryx.optimizers.Adam(0.01), "mse", metrics=["mae"])
    history = model.fit(
        x,
        y,
        batch_size=8,
        epochs=6,
        validation_split=0.2,
        verbose=0,
        callbacks=[
            BackupAndRestore(folder / "backup", save_freq=7),
            EarlyStopping("val_loss", patience=5, restore_best_weights=True),
            ReduceLROnPlateau("val_loss", patience=1),
            ModelCheckpoint(folder / "model.keras", save_freq=4),
            ModelCheckpoint(folder / "best.weights.h5", save_best_only=True, save_weights_only=True),
            Begun(),
        ],
    )
    arrays = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    (folder / "result.json").write_text(json.dumps([digest, history.history, history.epoch]))


def child(folder):
    (folder / "begun").unlink(missing_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    return subprocess.Popen([sys.executable, __file__, "child", str(folder)], env=os.environ | {"JAX_PLATFORMS": "cpu"})


def wait(process, folder):
    """Wait until training has begun."""
    while not (folder / "begun").exists():
        if process.poll() is not None:
            raise RuntimeError(f"The child ended with {process.returncode} before it trained.")
        time.sleep(0.005)


def check(folder):
    """What was committed before the kill has to load."""
    import keryx
    from keryx.saving import backup

    if (folder / "model.keras").exists():
        model = keryx.models.load_model(folder / "model.keras")
        if (folder / "best.weights.h5").exists():
            model.load_weights(folder / "best.weights.h5")
    for path in backup._backups(folder / "backup"):
        backup._read(path)
    left = [path.name for path in folder.rglob("*.unfinished")]
    return len(left)


def result(folder):
    return json.loads((folder / "result.json").read_text())


def kill(count, seed=0):
    """Kill `count` times, and compare what comes out in the end: how often a write was cut off, and runs that ended."""
    draw, cut, runs = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as killed:
        whole, killed = Path(whole), Path(killed)
        begin = time.perf_counter()
        process = child(whole)
        wait(process, whole)
        begin = time.perf_counter()
        assert process.wait() == 0
        seconds, wanted = time.perf_counter() - begin, result(whole)
        for _ in range(count):
            process = child(killed)
            wait(process, killed)
            time.sleep(draw.uniform(0, seconds / 2))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if (killed / "result.json").exists():  # it was done before it was killed
                assert result(killed) == wanted
                runs += 1
            else:
                cut += check(killed) > 0
        process = child(killed)
        assert process.wait() == 0
        assert result(killed) == wanted
    return cut, runs


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    if sys.argv[1] == "child":
        train(Path(sys.argv[2]))
    else:
        os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[2]))
        cut, runs = kill(int(sys.argv[1]))
        print(f"{sys.argv[1]} kills, {cut} in the midst of a write, {runs} runs that ended: all files load, same bits.")
