"""The functions of NumPy: jax.numpy by Keras's argument names."""

import builtins

import jax
import jax.numpy as jnp

from keryx import activations
from keryx.core.dtypes import as_inexact
from keryx.core.graph import lift
from keryx.ops.table import as_array, op, sizes

# -- elementwise --------------------------------------------------------------------------------------------

abs = absolute = op(jnp.absolute, "x")
angle = op(jnp.angle, "x")
arccos = op(jnp.arccos, "x")
arccosh = op(jnp.arccosh, "x")
arcsin = op(jnp.arcsin, "x")
arcsinh = op(jnp.arcsinh, "x")
arctan = op(jnp.arctan, "x")
arctanh = op(jnp.arctanh, "x")
cbrt = op(jnp.cbrt, "x")
conj = conjugate = op(jnp.conj, "x")
copy = op(jnp.copy, "x")
cos = op(jnp.cos, "x")
cosh = op(jnp.cosh, "x")
deg2rad = op(jnp.deg2rad, "x")
exp = op(jnp.exp, "x")
exp2 = op(jnp.exp2, "x")
expm1 = op(jnp.expm1, "x")
fabs = op(jnp.fabs, "x")
i0 = op(jnp.i0, "x")
imag = op(jnp.imag, "x")
isfinite = op(jnp.isfinite, "x")
isinf = op(jnp.isinf, "x")
isnan = op(jnp.isnan, "x")
isneginf = op(jnp.isneginf, "x")
isposinf = op(jnp.isposinf, "x")
isreal = op(jnp.isreal, "x")
log = op(jnp.log, "x")
log10 = op(jnp.log10, "x")
log1p = op(jnp.log1p, "x")
log2 = op(jnp.log2, "x")
logical_not = op(jnp.logical_not, "x")
nan_to_num = op(jnp.nan_to_num, "x", nan=0.0, posinf=None, neginf=None)
negative = op(jnp.negative, "x")
rad2deg = op(jnp.rad2deg, "x")
real = op(jnp.real, "x")
reciprocal = op(jnp.reciprocal, "x")
round = op(jnp.round, "x", decimals=0)
sign = op(jnp.sign, "x")
signbit = op(jnp.signbit, "x")
sin = op(jnp.sin, "x")
sinc = op(jnp.sinc, "x")
sinh = op(jnp.sinh, "x")
sqrt = op(jnp.sqrt, "x")
square = op(jnp.square, "x")
tan = op(jnp.tan, "x")
tanh = op(activations.tanh, "x")
trunc = op(jnp.trunc, "x")

# -- of two tensors ------------------------------------------------------------------------------------------

add = op(jnp.add, "x1 x2")
allclose = op(jnp.allclose, "x1 x2", rtol=1e-05, atol=1e-08, equal_nan=False)
append = op(jnp.append, "x1 x2", axis=None)
arctan2 = op(jnp.arctan2, "x1 x2")
cross = op(jnp.cross, "x1 x2", axisa=-1, axisb=-1, axisc=-1, axis=None)
divide = op(jnp.divide, "x1 x2")
true_divide = op(jnp.true_divide, "x1 x2")
dot = op(jnp.dot, "x1 x2")
equal = op(jnp.equal, "x1 x2")
floor_divide = op(jnp.floor_divide, "x1 x2")
fmax = op(jnp.fmax, "x1 x2")
fmin = op(jnp.fmin, "x1 x2")
fmod = op(jnp.fmod, "x1 x2")
gcd = op(jnp.gcd, "x1 x2")
greater = op(jnp.greater, "x1 x2")
greater_equal = op(jnp.greater_equal, "x1 x2")
heaviside = op(jnp.heaviside, "x1 x2")
hypot = op(jnp.hypot, "x1 x2")
inner = op(jnp.inner, "x1 x2")
isclose = op(jnp.isclose, "x1 x2", rtol=1e-05, atol=1e-08, equal_nan=False)
isin = op(jnp.isin, "x1 x2", assume_unique=False, invert=False)
kron = op(jnp.kron, "x1 x2")
lcm = op(jnp.lcm, "x1 x2")
ldexp = op(jnp.ldexp, "x1 x2")
less = op(jnp.less, "x1 x2")
less_equal = op(jnp.less_equal, "x1 x2")
logaddexp = op(jnp.logaddexp, "x1 x2")
logaddexp2 = op(jnp.logaddexp2, "x1 x2")
logical_and = op(jnp.logical_and, "x1 x2")
logical_or = op(jnp.logical_or, "x1 x2")
logical_xor = op(jnp.logical_xor, "x1 x2")
maximum = op(jnp.maximum, "x1 x2")
minimum = op(jnp.minimum, "x1 x2")
mod = op(jnp.mod, "x1 x2")
multiply = op(jnp.multiply, "x1 x2")
nextafter = op(jnp.nextafter, "x1 x2")
not_equal = op(jnp.not_equal, "x1 x2")
outer = op(jnp.outer, "x1 x2")
power = op(jnp.power, "x1 x2")
subtract = op(jnp.subtract, "x1 x2")
tensordot = op(jnp.tensordot, "x1 x2", axes=2)
vdot = op(jnp.vdot, "x1 x2")

bitwise_and = op(jnp.bitwise_and, "x y")
bitwise_invert = bitwise_not = op(jnp.bitwise_invert, "x")
bitwise_left_shift = left_shift = op(jnp.left_shift, "x y")
bitwise_or = op(jnp.bitwise_or, "x y")
bitwise_right_shift = right_shift = op(jnp.right_shift, "x y")
bitwise_xor = op(jnp.bitwise_xor, "x y")

# -- along axes ----------------------------------------------------------------------------------------------

all = op(jnp.all, "x", axis=None, keepdims=False)
any = op(jnp.any, "x", axis=None, keepdims=False)
argmax = op(jnp.argmax, "x", axis=None, keepdims=False)
argmin = op(jnp.argmin, "x", axis=None, keepdims=False)
argpartition = op(jnp.argpartition, "x kth", axis=-1)
argsort = op(jnp.argsort, "x", axis=-1)
average = op(jnp.average, "x", axis=None, weights=None)
count_nonzero = op(jnp.count_nonzero, "x", axis=None)
cumprod = op(jnp.cumprod, "x", axis=None, dtype=None)
cumsum = op(jnp.cumsum, "x", axis=None, dtype=None)
diff = op(jnp.diff, "a", n=1, axis=-1)
max = op(jnp.max, "x", axis=None, keepdims=False, initial=None)
amax = op(jnp.max, "x", axis=None, keepdims=False)
mean = op(jnp.mean, "x", axis=None, keepdims=False)
median = op(jnp.median, "x", axis=None, keepdims=False)
min = op(jnp.min, "x", axis=None, keepdims=False, initial=None)
amin = op(jnp.min, "x", axis=None, keepdims=False)
nanargmax = op(jnp.nanargmax, "x", axis=None, keepdims=False)
nanargmin = op(jnp.nanargmin, "x", axis=None, keepdims=False)
nancumprod = op(jnp.nancumprod, "x", axis=None, dtype=None)
nancumsum = op(jnp.nancumsum, "x", axis=None, dtype=None)
nanmax = op(jnp.nanmax, "x", axis=None, keepdims=False)
nanmean = op(jnp.nanmean, "x", axis=None, keepdims=False)
nanmedian = op(jnp.nanmedian, "x", axis=None, keepdims=False)
nanmin = op(jnp.nanmin, "x", axis=None, keepdims=False)
nanpercentile = op(jnp.nanpercentile, "x q", axis=None, method="linear", keepdims=False)
nanprod = op(jnp.nanprod, "x", axis=None, keepdims=False)
nanquantile = op(jnp.nanquantile, "x q", axis=None, method="linear", keepdims=False)
nanstd = op(jnp.nanstd, "x", axis=None, keepdims=False)
nansum = op(jnp.nansum, "x", axis=None, keepdims=False)
nanvar = op(jnp.nanvar, "x", axis=None, keepdims=False)
percentile = op(jnp.percentile, "x q", axis=None, method="linear", keepdims=False)
prod = op(jnp.prod, "x", axis=None, keepdims=False, dtype=None)
ptp = op(jnp.ptp, "x", axis=None, keepdims=False)
quantile = op(jnp.quantile, "x q", axis=None, method="linear", keepdims=False)
sort = op(jnp.sort, "x", axis=-1)
std = op(jnp.std, "x", axis=None, keepdims=False)
sum = op(jnp.sum, "x", axis=None, keepdims=False)
var = op(jnp.var, "x", axis=None, keepdims=False)

# -- shape and place -----------------------------------------------------------------------------------------

array_split = op(jnp.array_split, "x indices_or_sections", axis=0)
clip = op(jnp.clip, "x x_min x_max")
concatenate = op(jnp.concatenate, "xs", axis=0)
diag = op(jnp.diag, "x", k=0)
diagflat = op(jnp.diagflat, "x", k=0)
diagonal = op(jnp.diagonal, "x", offset=0, axis1=0, axis2=1)
digitize = op(jnp.digitize, "x bins")
dsplit = op(jnp.dsplit, "x indices_or_sections")
dstack = op(jnp.dstack, "xs")
expand_dims = op(jnp.expand_dims, "x axis")
flip = op(jnp.flip, "x", axis=None)
fliplr = op(jnp.fliplr, "x")
flipud = op(jnp.flipud, "x")
hsplit = op(jnp.hsplit, "x indices_or_sections")
hstack = op(jnp.hstack, "xs")
moveaxis = op(jnp.moveaxis, "x source destination")
ravel = op(jnp.ravel, "x")
repeat = op(jnp.repeat, "x repeats", axis=None)
roll = op(jnp.roll, "x shift", axis=None)
rot90 = op(jnp.rot90, "array", k=1, axes=(0, 1))
searchsorted = op(jnp.searchsorted, "sorted_sequence values", side="left")
select = op(jnp.select, "condlist choicelist", default=0)
split = op(jnp.split, "x indices_or_sections", axis=0)
squeeze = op(jnp.squeeze, "x", axis=None)
stack = op(jnp.stack, "x", axis=0)
swapaxes = op(jnp.swapaxes, "x axis1 axis2")
take_along_axis = op(jnp.take_along_axis, "x indices", axis=None)
trace = op(jnp.trace, "x", offset=0, axis1=0, axis2=1)
transpose = op(jnp.transpose, "x", axes=None)
tril = op(jnp.tril, "x", k=0)
trapezoid = op(jnp.trapezoid, "y", x=None, dx=1.0, axis=-1)
triu = op(jnp.triu, "x", k=0)
unravel_index = op(jnp.unravel_index, "indices shape")
vander = op(jnp.vander, "x", N=None, increasing=False)
vsplit = op(jnp.vsplit, "x indices_or_sections")
vstack = op(jnp.vstack, "xs")

# -- where the arguments are not JAX's -----------------------------------------------------------------------


@lift
def ceil(x):
    """The least whole number that is no less than x, as a float."""
    return jnp.ceil(as_inexact(x))


@lift
def floor(x):
    """The greatest whole number that is no greater than x, as a float."""
    return jnp.floor(as_inexact(x))


@lift
def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each of 0, 1, ... stands in each row of `x` (in all of it, where it has one axis).

    In a graph the result has `minlength` entries.
    """
    x = jnp.asarray(x)
    traced = builtins.any(isinstance(a, jax.core.Tracer) for a in (x, weights))
    length = minlength if traced else builtins.max(minlength, int(x.max(initial=-1)) + 1)

    def count(row, weights=None):
        return jnp.bincount(row, weights, length=length)

    if x.ndim == 1:
        return count(x, weights)
    return jax.vmap(count)(x) if weights is None else jax.vmap(count)(x, jnp.asarray(weights))


@lift
def corrcoef(x):
    """The correlation of each two rows."""
    return jnp.corrcoef(as_array(x))


@lift
def correlate(x1, x2, mode="valid"):
    """The cross-correlation of two vectors."""
    return jnp.correlate(as_array(x1), as_array(x2), mode)


@lift
def divide_no_nan(x1, x2):
    """x1 / x2, and 0 where x2 is 0."""
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    safe = jnp.where(x2 == 0, jnp.ones_like(x2), x2)
    return jnp.where(x2 == 0, 0, x1 / safe)


@lift
def einsum(subscripts, *operands, **kwargs):
    """The sum of products that `subscripts` describes, such as `"bij,bjk->bik"`."""
    return jnp.einsum(subscripts, *map(as_array, operands), **kwargs)


@lift
def get_item(x, key):
    """x[key]."""
    return as_array(x)[key]


@lift
def histogram(x, bins=10, range=None):
    """How many values fall into each bin, and the edges of the bins."""
    return jnp.histogram(as_array(x), bins, range)


@lift
def nonzero(x):
    """The indices of the values that are not 0, a tensor for each axis. Not in a graph."""
    return jnp.nonzero(as_array(x))


@lift
def pad(x, pad_width, mode="constant", constant_values=None):
    """`x` with `pad_width` values around it: an int, a pair (before, after), or a pair for each axis."""
    options = {} if constant_values is None else {"constant_values": constant_values}
    return jnp.pad(as_array(x), pad_width, mode, **options)


@lift
def reshape(x, newshape):
    """The values of `x` in another shape: -1 is the size that is left, None the size that `x` has there."""
    x = as_array(x)
    newshape = (newshape,) if isinstance(newshape, int) else sizes(newshape, "reshape()")
    return jnp.reshape(x, [x.shape[i] if size is None else size for i, size in enumerate(newshape)])


@lift
def size(x):
    """How many values there are."""
    return jnp.size(as_array(x))


@lift
def broadcast_to(x, shape):
    """The values of `x`, repeated along axes of size 1 and new first axes until they fill this shape."""
    return jnp.broadcast_to(as_array(x), sizes(shape, "broadcast_to()"))


@lift
def tile(x, repeats):
    """`x` so many times along each axis.

    >>> tile([1, 2], 2).tolist()
    [1, 2, 1, 2]
    """
    return jnp.tile(as_array(x), sizes(repeats, "tile()"))


@lift
def unique(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    """The different values, in order; in a graph, `size` of them."""
    return jnp.unique(
        as_array(x), return_index, return_inverse, return_counts, axis=axis, size=size, fill_value=fill_value
    )


def vectorize(pyfunc, *, excluded=None, signature=None):
    """`pyfunc`, a function of scalars, as one of tensors."""
    return lift(jnp.vectorize(pyfunc, excluded=excluded or (), signature=signature), "vectorize")


@lift
def where(condition, x1=None, x2=None):
    """x1 where `condition` holds, else x2."""
    if x1 is None and x2 is None:
        return jnp.where(as_array(condition))
    return jnp.where(as_array(condition), as_array(x1), as_array(x2))
