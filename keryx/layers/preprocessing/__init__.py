"""Layers that make numbers of text, categories and tables, and the functions of NumPy arrays that they are made of."""

from keryx.layers.preprocessing.discretization import Discretization as Discretization
from keryx.layers.preprocessing.encoding import CategoryEncoding as CategoryEncoding
from keryx.layers.preprocessing.scaling import Normalization as Normalization
