"""`import keryx.as_keras`, before other imports, lets `keras` be Keryx in this process: see `keryx.compat.install`."""

from keryx.compat.dropin import install

install()
