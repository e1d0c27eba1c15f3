"""`%load_ext keryx` in a notebook: from that cell on `keras` is Keryx in its kernel."""

from typing import Any

from keryx.compat.dropin import install


def load_ipython_extension(shell: Any) -> None:
    """What IPython calls for `%load_ext keryx`: see `keryx.compat.install`."""
    install()
