"""Runs the scripts of a folder one after another in this process, and says of each how it ended, as JSON."""

import contextlib
import io
import json
import runpy
import sys
import time
import traceback
from pathlib import Path

import keras

folder, out = map(Path, sys.argv[1:])
results = {}
for path in sorted(folder.glob("*.py")):
    keras.utils.set_random_seed(5)
    before, error = time.process_time(), None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(path), run_name="__main__")
    except BaseException:
        error = traceback.format_exc()
    results[path.stem] = {"error": error, "seconds": time.process_time() - before}
out.write_text(json.dumps(results))
