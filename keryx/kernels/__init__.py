"""Fast paths: pure functions on arrays, each with a derivative of its own where that is faster than JAX's.

What a function here gives is what plain JAX gives, to float32 rounding. Each path was kept because it measured faster
on a CPU; other devices take plain JAX wherever that is what they are good at. A derivative is itself made of
differentiable functions, so gradients of gradients hold; forward mode (`jax.jvp`) is not offered where a function is
a `jax.custom_vjp`.
"""

from keryx.kernels.convolution import conv as conv
from keryx.kernels.dense import dense as dense
from keryx.kernels.embedding import embedding as embedding
from keryx.kernels.global_pooling import global_average_pool as global_average_pool
from keryx.kernels.global_pooling import global_max_pool as global_max_pool
from keryx.kernels.pooling import average_pool as average_pool
from keryx.kernels.pooling import max_pool as max_pool
from keryx.kernels.recurrent import gru as gru
from keryx.kernels.recurrent import lstm as lstm
from keryx.kernels.recurrent import simple_rnn as simple_rnn
from keryx.kernels.report import report as report
from keryx.kernels.update import update as update
