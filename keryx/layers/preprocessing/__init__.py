"""Layers that make numbers of text, categories and tables, and the functions of NumPy arrays that they are made of."""

from keryx.layers.preprocessing.discretization import Discretization as Discretization
from keryx.layers.preprocessing.encoding import CategoryEncoding as CategoryEncoding
from keryx.layers.preprocessing.hashing import HashedCrossing as HashedCrossing
from keryx.layers.preprocessing.hashing import Hashing as Hashing
from keryx.layers.preprocessing.lookup import IntegerLookup as IntegerLookup
from keryx.layers.preprocessing.lookup import StringLookup as StringLookup
from keryx.layers.preprocessing.scaling import Normalization as Normalization
from keryx.layers.preprocessing.text_vectorization import TextVectorization as TextVectorization
