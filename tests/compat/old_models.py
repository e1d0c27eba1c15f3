"""Builds the models of `make_keras_N.py` anew under the dialect, from that very code, and compares with what they were.

`python -m keryx --keras N old_models.py AGE.zip's name, the script that made it, OUT`: for each model how far its
outputs lie from those of the Keras that wrote the file, before five more steps of training and after.
"""

import json
import sys
from pathlib import Path

from keras.models import load_model

FILES = Path(__file__).parent.parent / "files"
sys.path.insert(0, str(FILES))
from old_fixtures import Record, folder  # noqa: E402


def go_on_as(model, other):
    """Give a model's optimizer the state of another one's, weight by weight."""
    mine, theirs = model.optimizer, other.optimizer
    mine.build(model.trainable_variables)
    paths = [{v: path for path, v in optimizer.owners.items()} for optimizer in (mine, theirs)]
    state, given = mine.state, theirs.state
    for slot in mine.slots():
        for a, b in zip(model.trainable_variables, other.trainable_variables, strict=True):
            state[slot][paths[0][a]] = given[slot][paths[1][b]]
    state |= {name: given[name] for name in ("iteration", "product") if name in state}
    mine.state = state


age, script, *names, out = sys.argv[1:]
code = (FILES / "fixtures" / script).read_text().partition("def numbered(")[0]
made = {"__name__": "program"}
exec(compile(code.replace('os.environ["KERAS_BACKEND"] = "theano"', ""), script, "exec"), made)
results = {}
for name in names:
    model, *_ = made[name]()
    path, record = folder(age) / f"{name}.h5", Record(age, name)
    model.load_weights(path)
    results[name] = [record.difference(model, record.before), None]
    if record.after:
        go_on_as(model, load_model(path))
        record.train(model)
        results[name][1] = record.difference(model, record.after)
Path(out).write_text(json.dumps(results, default=float))
