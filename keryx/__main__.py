"""`python -m keryx script.py`: see `keryx.cli`."""

import sys

from keryx.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
