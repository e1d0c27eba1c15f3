"""Fast paths: pure functions on arrays, in native code or plain JAX, whichever was measured to be faster.

What a function here gives is what plain JAX gives, to float32 rounding (Winograd's convolutions: a few times that).
Layers and ops both call them. `kernel.py` says what a kernel is and how one of its ways is chosen, `native.py` when
native code serves, and calls it; `native/` holds its C++. Everything that JAX can do to a function, it can do to these:
gradients of any order, forward mode, vmap, other dtypes, GPUs, several devices.
"""

from keryx.kernels.convolution import conv as conv
from keryx.kernels.convolution_forms import conv_transpose as conv_transpose
from keryx.kernels.convolution_forms import depthwise_conv as depthwise_conv
from keryx.kernels.convolution_forms import separable_conv as separable_conv
from keryx.kernels.dense import dense as dense
from keryx.kernels.dense import matmul as matmul
from keryx.kernels.embedding import embedding as embedding
from keryx.kernels.embedding import pick_rows as pick_rows
from keryx.kernels.global_pooling import global_average_pool as global_average_pool
from keryx.kernels.global_pooling import global_max_pool as global_max_pool
from keryx.kernels.pooling import average_pool as average_pool
from keryx.kernels.pooling import max_pool as max_pool
from keryx.kernels.recurrent import gru as gru
from keryx.kernels.recurrent import lstm as lstm
from keryx.kernels.recurrent import simple_rnn as simple_rnn
from keryx.kernels.report import report as report
from keryx.kernels.resampling import resize as resize
from keryx.kernels.update import update as update
