"""The namespaces that Keras has within ops hold ops of other modules too: the very same functions."""

from keryx.ops import convolution, core, creation, ctc, linalg, math, nn, numpy

__all__: list[str] = []

for _namespace, _whole, _single in (
    (nn, [convolution, ctc], {linalg: "normalize", math: "polar psnr"}),
    (numpy, [creation], {core: "ndim take view", linalg: "matmul slogdet"}),
    (linalg, [], {core: "jvp"}),
):
    _names = {module: [name for name, op in vars(module).items() if hasattr(op, "__wrapped__")] for module in _whole}
    _names |= {module: names.split() for module, names in _single.items()}
    for _module, _of_module in _names.items():
        vars(_namespace).update({name: getattr(_module, name) for name in _of_module})
