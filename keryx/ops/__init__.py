"""Functions of JAX by Keras's names, that also take symbolic tensors and variables."""
# ruff: noqa: F403, F821

from keryx.ops import image as image
from keryx.ops.control import *
from keryx.ops.convolution import *
from keryx.ops.core import *
from keryx.ops.creation import *
from keryx.ops.ctc import *
from keryx.ops.linalg import *
from keryx.ops.math import *
from keryx.ops.namespaces import *
from keryx.ops.nn import *
from keryx.ops.numpy import *
from keryx.ops.patterns import *

del Any, ArgumentError, Callable, Sequence, Shape, Sizes, SymbolicTensor, activations, as_array, builtins
del config, each_axis, entropy, functools, jax, jnp, kernels, lift, losses, np, op, scope, standardize_dtype, symbols_in
