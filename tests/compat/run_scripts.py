"""Runs the scripts of a folder one after another in this process, and says of each how it ended, as JSON."""

import contextlib
import io
import json
import runpy
import sys
import time
import traceback
from pathlib import Path

results = {}
for path in sorted(Path(sys.argv[1]).glob(sys.argv[3] if len(sys.argv) > 3 else "*.py")):
    before, told = time.process_time(), io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            runpy.run_path(str(path), run_name="__main__")
        error = None
    except BaseException:
        error = traceback.format_exc()
    results[path.stem] = {"error": error, "seconds": time.process_time() - before}
Path(sys.argv[2]).write_text(json.dumps(results))
