"""Small data sets to begin with, fetched when they are first loaded and kept from then on."""

from keryx import lazy

_NAMES = "boston_housing california_housing cifar10 cifar100 fashion_mnist imdb mnist reuters"

__getattr__, __dir__ = lazy.exports(__name__, {f"{__name__}.{name}": "" for name in _NAMES.split()})
