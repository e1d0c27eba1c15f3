"""Run a script and say what its `result` is, and which modules of Keras or TensorFlow themselves it imported.

Run as `python -m keryx tests/packages/child.py script.py`; the last line that it prints is JSON.
"""

import json
import runpy
import sys


def is_itself(name, module):
    """Whether a module is of Keras or TensorFlow themselves: it lies in a folder of theirs."""
    root = name.partition(".")[0]
    return root in ("keras", "tensorflow", "tf_keras") and f"site-packages/{root}" in str(
        getattr(module, "__file__", "")
    )


if __name__ == "__main__":
    result = runpy.run_path(sys.argv.pop(1), run_name="__main__")["result"]
    foreign = [name for name, module in sys.modules.items() if is_itself(name, module)]
    print(json.dumps({"result": result, "foreign": foreign}))
