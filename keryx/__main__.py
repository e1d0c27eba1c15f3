"""`python -m keryx script.py`: see `keryx.cli`."""

import sys

from keryx.cli import main

if __name__ == "__main__" and (code := main(sys.argv[1:])):  # no SystemExit(0): under -i it would be shown as an error
    sys.exit(code)
