"""Calls of every op: its name, its tensors, its other arguments."""
# ruff: noqa: SIM905

import numpy as np

_random = np.random.default_rng(0)


def f(*shape):
    """Floats of both signs."""
    return _random.normal(size=shape).astype("float32")


def p(*shape):
    """Floats between 0.1 and 0.9."""
    return _random.uniform(0.1, 0.9, shape).astype("float32")


def i(*shape, n=5):
    """Integers below n."""
    return _random.integers(0, n, shape).astype("int32")


def pd(size):
    """A batch of two positive definite matrices."""
    x = f(2, size, size)
    return x @ x.transpose(0, 2, 1) + np.eye(size, dtype="float32")


X, Y, P, N, M, B = f(4, 3), f(4, 3), p(4, 3), i(4, 3), i(4, 3), i(4, 3, n=2).astype(bool)
NANS = np.where(P > 0.7, np.nan, X).astype("float32")
IMAGE, SPD = f(2, 6, 6, 4), pd(3)

_FLOAT = """abs absolute angle arcsinh arctan cbrt ceil conj conjugate copy cos cosh deg2rad exp exp2
expm1 fabs floor fliplr flipud i0 imag isfinite isinf isnan isneginf isposinf isreal
negative rad2deg ravel real reciprocal round sign signbit sin sinc sinh square tan tanh
transpose trunc celu elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
leaky_relu log_sigmoid log_softmax relu relu6 selu sigmoid silu swish soft_shrink softmax
softplus softsign sparse_plus sparse_sigmoid squareplus tanh_shrink erf erfc logsumexp
normalize layer_normalization rms_normalization diff sort argsort flip nan_to_num view
zeros_like ones_like rfft stop_gradient convert_to_tensor array""".split()
_POSITIVE = "arccos arcsin arctanh erfinv log log10 log1p log2 rsqrt sqrt".split()
_BINARY = """add arctan2 divide divide_no_nan equal floor_divide fmax fmin fmod greater greater_equal
heaviside hypot isclose less less_equal logaddexp logaddexp2 maximum minimum mod multiply
nextafter not_equal subtract true_divide kron vdot outer inner append allclose""".split()
_INTEGER = """bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift
right_shift gcd lcm isin""".split()
_REDUCED = """all any argmax argmin count_nonzero max mean median min prod std sum var amax amin ptp
average""".split()
_NAN = "nanargmax nanargmin nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar".split()

CALLS: list[tuple[str, tuple, dict]] = [
    *[(name, (X,), {}) for name in _FLOAT],
    *[(name, (P,), {}) for name in _POSITIVE],
    ("arccosh", (P + 1,), {}),
    *[(name, (X, Y), {}) for name in _BINARY],
    *[(name, (N, M), {}) for name in _INTEGER],
    *[(name, (B, ~B), {}) for name in ("logical_and", "logical_or", "logical_xor")],
    *[(name, (X,), {"axis": axis}) for name in _REDUCED for axis in (None, 1, 0)],
    *[(name, (NANS,), {"axis": axis}) for name in _NAN for axis in (None, 0)],
    *[(name, (X,), {"axis": 1, "keepdims": True}) for name in ("sum", "mean", "max", "argmax", "all", "logsumexp")],
    *[(name, (N,), {"axis": 1}) for name in ("sum", "mean", "max", "prod", "var", "std", "any")],
    *[(name, (X,), {"axis": 1}) for name in ("cumsum", "cumprod", "nancumsum", "nancumprod", "softmax", "flip")],
    *[(name, (N,), {}) for name in ("abs", "exp", "sqrt", "square", "sin", "reciprocal", "sign", "bitwise_invert")],
    *[(name, (N, M), {}) for name in ("add", "divide", "power", "maximum", "equal", "multiply")],
    ("bitwise_not", (N,), {}),
    ("logical_not", (B,), {}),
    ("sum", (B,), {"axis": 1}),
    ("max", (X,), {"axis": 1, "initial": 0.5}),
    ("average", (X,), {"axis": 1, "weights": P[0]}),
    ("argpartition", (X,), {"kth": 1}),
    ("percentile", (X,), {"q": 30.0, "axis": 1}),
    ("median", (X,), {"axis": [0, 1]}),
    ("percentile", (X,), {"q": [20.0, 80.0], "axis": -1}),
    ("quantile", (X,), {"q": 0.3, "axis": 1, "method": "nearest"}),
    ("nanpercentile", (NANS,), {"q": 30.0, "axis": 0}),
    ("nanquantile", (NANS,), {"q": 0.3, "axis": 0}),
    ("power", (P, X), {}),
    ("ldexp", (X, N), {}),
    ("cross", (X, Y), {}),
    ("dot", (X, f(3, 2)), {}),
    ("matmul", (X, f(3, 2)), {}),
    ("matmul", (f(2, 4, 3), f(2, 3, 5)), {}),
    ("tensordot", (X, f(3, 2)), {"axes": 1}),
    ("take", (X, np.array([2, 0])), {"axis": 1}),
    ("take_along_axis", (X, N % 3), {"axis": 1}),
    ("clip", (X,), {"x_min": -0.5, "x_max": 0.5}),
    ("round", (X,), {"decimals": 1}),
    ("digitize", (X,), {"bins": np.array([-1.0, 0.0, 1.0])}),
    ("searchsorted", (np.array([-1.0, 0.0, 1.0], "float32"), X), {}),
    ("broadcast_to", (X,), {"shape": (2, 4, 3)}),
    ("expand_dims", (X,), {"axis": 1}),
    ("expand_dims", (X,), {"axis": (0, -1)}),
    ("squeeze", (f(4, 1, 3),), {"axis": 1}),
    ("swapaxes", (f(4, 2, 3),), {"axis1": 1, "axis2": 2}),
    ("moveaxis", (f(4, 2, 3),), {"source": 1, "destination": -1}),
    ("transpose", (f(4, 2, 3),), {"axes": (0, 2, 1)}),
    ("reshape", (X,), {"newshape": (-1, 3, 1)}),
    ("repeat", (X,), {"repeats": 2, "axis": 1}),
    ("tile", (X,), {"repeats": (1, 2)}),
    ("roll", (X,), {"shift": 1, "axis": 1}),
    ("rot90", (X,), {}),
    ("pad", (X,), {"pad_width": ((0, 0), (1, 2))}),
    ("pad", (X,), {"pad_width": ((0, 0), (1, 2)), "constant_values": 3.0}),
    ("pad", (X,), {"pad_width": 1, "mode": "reflect"}),
    ("split", (X,), {"indices_or_sections": 3, "axis": 1}),
    ("array_split", (X,), {"indices_or_sections": 2, "axis": 1}),
    ("hsplit", (X,), {"indices_or_sections": [1]}),
    ("vsplit", (X,), {"indices_or_sections": 2}),
    ("dsplit", (f(2, 3, 4),), {"indices_or_sections": 2}),
    ("unstack", (X,), {"axis": 1}),
    ("concatenate", ([X, Y],), {"axis": 1}),
    ("stack", ([X, Y],), {"axis": 1}),
    ("hstack", ([X, Y],), {}),
    ("vstack", ([X, Y],), {}),
    ("dstack", ([X, Y],), {}),
    ("select", ([X > 0, X > -1], [X, Y]), {"default": 9.0}),
    ("where", (B, X, Y), {}),
    ("where", (B, X, 0.0), {}),
    ("meshgrid", (X[0], Y[0]), {}),
    ("diag", (X[0],), {}),
    ("diagflat", (X[0],), {"k": 1}),
    ("diagonal", (X,), {}),
    ("trace", (X,), {}),
    ("tril", (X,), {}),
    ("triu", (X,), {"k": 1}),
    ("trapezoid", (X,), {}),
    ("vander", (X[0],), {"N": 4}),
    ("full_like", (X,), {"fill_value": 2}),
    ("empty_like", (X,), {}),
    ("einsum", ("bi,bj->bij", X, Y), {}),
    ("corrcoef", (X,), {}),
    ("correlate", (X[0], Y[0]), {"mode": "same"}),
    ("bincount", (N,), {"minlength": 6}),
    ("bincount", (N[0],), {"minlength": 6, "weights": P[0]}),
    ("histogram", (X[0],), {"bins": 4}),
    ("unique", (N,), {"size": 5}),
    ("unravel_index", (N,), {"shape": (3, 2)}),
    ("get_item", (X, (slice(None), None, 1)), {}),
    ("view", (X,), {"dtype": "int32"}),
    ("nonzero", (N,), {}),
    # made from no tensor
    ("arange", (1, 10, 3), {}),
    ("arange", (3.0,), {}),
    ("bartlett", (5,), {}),
    ("blackman", (5,), {}),
    ("hamming", (5,), {}),
    ("hanning", (5,), {}),
    ("kaiser", (5, 14.0), {}),
    ("empty", ((2, 3),), {}),
    ("eye", (3, 4), {"k": 1}),
    ("full", ((2, 3), 1.5), {}),
    ("geomspace", (1, 1000), {"num": 4}),
    ("identity", (3,), {}),
    ("linspace", (0, 1), {"num": 5, "endpoint": False}),
    ("logspace", (0, 2), {"num": 3}),
    ("ones", ((2, 3),), {"dtype": "int32"}),
    ("tri", (3,), {"k": -1}),
    ("zeros", ((2, 3),), {}),
    # linear algebra
    *[(name, (SPD,), {}) for name in "cholesky det inv logdet pinv slogdet lu_factor norm".split()],
    ("cholesky", (SPD,), {"upper": True}),
    ("cholesky_inverse", (np.linalg.cholesky(SPD[0]),), {}),
    ("cholesky_inverse", (np.linalg.cholesky(SPD[0]).T,), {"upper": True}),
    ("matrix_rank", (SPD,), {}),
    ("cdist", (X, Y), {}),
    ("lstsq", (f(5, 2), f(5)), {}),
    ("norm", (X,), {"axis": 1, "ord": 1, "keepdims": True}),
    ("normalize", (X,), {"order": 1}),
    ("normalize", (np.zeros((2, 3), "float32"),), {}),
    ("qr", (SPD,), {}),
    ("svd", (SPD,), {"compute_uv": False}),
    ("solve", (SPD, f(2, 3, 2)), {}),
    ("solve_triangular", (np.linalg.cholesky(SPD), f(2, 3, 2)), {"lower": True}),
    # casts and places
    ("cast", (X,), {"dtype": "int32"}),
    ("cast", (N,), {"dtype": "bool"}),
    ("saturate_cast", (300 * X,), {"dtype": "uint8"}),
    ("saturate_cast", (X * 1e6,), {"dtype": "float16"}),
    ("slice", (X, (1, 1)), {"shape": (2, 2)}),
    ("slice_update", (X, (1, 1), Y[:2, :2]), {}),
    ("scatter", (N[:, :1], X[:, 0]), {"shape": (6,)}),
    *[
        (
            "scatter_update",
            (X, np.array([[0, 1], [3, 2]]), np.array([5.0, -5.0], "float32")),
            {"reduction": r},
        )
        for r in (None, "add", "mul", "max", "min")
    ],
    # networks
    ("gelu", (X,), {"approximate": False}),
    ("glu", (f(4, 6),), {}),
    ("threshold", (X,), {"threshold": 0.2, "default_value": 7.0}),
    ("binary_crossentropy", (B.astype("float32"), P), {}),
    ("binary_crossentropy", (B.astype("float32"), X), {"from_logits": True}),
    ("categorical_crossentropy", (P, P + 0.1), {}),
    ("categorical_crossentropy", (P, X), {"from_logits": True}),
    ("sparse_categorical_crossentropy", (N[:, 0] % 3, P), {}),
    ("sparse_categorical_crossentropy", (N[:, 0] % 3, X), {"from_logits": True}),
    ("ctc_loss", (i(2, 2) % 3 + 1, f(2, 6, 4), np.array([2, 1]), np.array([6, 5])), {}),
    ("moments", (N,), {"axes": [1]}),
    ("moments", (X,), {"axes": None}),
    ("moments", (X,), {"axes": [0]}),
    ("moments", (X,), {"axes": (0, 1), "keepdims": True}),
    ("batch_normalization", (X, Y[0], P[0]), {"axis": -1, "offset": Y[1], "scale": P[1]}),
    ("layer_normalization", (X, Y[0], Y[1]), {}),
    ("layer_normalization", (IMAGE,), {"axis": (1, 2), "epsilon": 1e-3}),
    ("rms_normalization", (X, Y[0]), {"epsilon": 1e-3}),
    ("one_hot", (N,), {"num_classes": 4}),
    ("one_hot", (N,), {"num_classes": 4, "axis": 1, "dtype": "int32"}),
    ("multi_hot", (N,), {"num_classes": 5}),
    ("dot_product_attention", (f(2, 5, 2, 4), f(2, 5, 2, 4), f(2, 5, 2, 4)), {"is_causal": True}),
    # convolution
    *[("conv", (IMAGE, f(3, 2, 4, 5)), k) for k in ({}, {"strides": 2, "padding": "same"}, {"dilation_rate": (2, 1)})],
    ("conv", (f(2, 7, 4), f(3, 2, 6)), {"strides": 2}),
    ("conv", (f(2, 4, 7), f(3, 4, 6)), {"data_format": "channels_first"}),
    ("conv", (f(1, 4, 4, 4, 2), f(2, 2, 2, 2, 3)), {}),
    ("depthwise_conv", (IMAGE, f(3, 3, 4, 2)), {"padding": "same"}),
    ("separable_conv", (IMAGE, f(3, 3, 4, 2), f(1, 1, 8, 3)), {}),
    *[
        ("conv_transpose", (IMAGE, f(size, 2, 5, 4)), {"strides": strides, "padding": padding})
        for size in (2, 3)
        for strides in (1, 2, 3)
        for padding in ("same", "valid")
    ],
    ("conv_transpose", (f(2, 5, 3), f(3, 2, 3)), {"strides": 2, "padding": "same", "output_padding": 1}),
    ("conv_transpose", (f(2, 5, 3), f(3, 2, 3)), {"strides": 2, "output_padding": 1}),
    ("conv_transpose", (f(2, 5, 3), f(3, 2, 3)), {"padding": "same", "dilation_rate": 2}),
    *[
        (name, (IMAGE,), {"pool_size": size, "strides": strides, "padding": padding})
        for name in ("max_pool", "average_pool")
        for size, strides, padding in ((2, 2, "valid"), ((3, 2), 2, "same"))
    ],
    ("max_pool", (f(2, 3, 6),), {"pool_size": 2, "strides": 1, "data_format": "channels_first"}),
    ("adaptive_average_pool", (IMAGE,), {"output_size": (4, 3)}),
    ("adaptive_max_pool", (IMAGE,), {"output_size": 4}),
    ("space_to_depth", (IMAGE,), {"block_size": 2}),
    ("depth_to_space", (IMAGE,), {"block_size": 2}),
    ("unfold", (f(2, 3, 6, 5),), {"kernel_size": (3, 2), "padding": 1, "stride": 2}),
    ("fold", (f(2, 12, 9),), {"output_size": (4, 4), "kernel_size": 2}),
    # the rest
    ("ctc_decode", (f(2, 6, 4), np.array([6, 4])), {"mask_index": 3}),
    ("ctc_decode", (f(2, 6, 4), np.array([6, 4])), {"merge_repeated": False}),
    ("ctc_decode", (f(2, 4, 3), np.array([4, 3])), {"strategy": "beam_search", "beam_width": 4, "top_paths": 2}),
    ("rearrange", (f(2, 6, 4, 3), "b (h h1) (w1 w) c -> (b h1) w1 h (c w)"), {"h1": 2, "w": 2}),
    ("rearrange", (f(2, 6, 4), "b h w -> w b h"), {}),
    *[(f"segment_{name}", (X, np.array([0, 0, 2, 1])), {"num_segments": 3}) for name in ("sum", "max", "min", "prod")],
    ("top_k", (X,), {"k": 2}),
    ("in_top_k", (N[:, 0] % 3, X), {"k": 2}),
    ("polar", (P, X), {}),
    ("view_as_complex", (f(4, 2),), {}),
    ("view_as_real", ((X + 1j * Y).astype("complex64"),), {}),
    ("psnr", (X, Y), {"max_val": 1.0}),
    ("fft", ((X, Y),), {}),
    ("fft2", ((X, Y),), {}),
    ("ifft2", ((X, Y),), {}),
    ("rfft", (X,), {"fft_length": 4}),
    ("irfft", ((X, Y),), {"fft_length": 4}),
    ("extract_sequences", (f(2, 9),), {"sequence_length": 4, "sequence_stride": 2}),
    ("stft", (f(2, 32),), {"sequence_length": 8, "sequence_stride": 4, "fft_length": 10}),
    ("istft", ((f(2, 9, 5), f(2, 9, 5)),), {"sequence_length": 8, "sequence_stride": 4, "fft_length": 8}),
]
