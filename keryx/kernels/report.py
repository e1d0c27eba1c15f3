"""What serves what: the libraries, and which way the calls of the compiled programs go."""

from dataclasses import dataclass

from keryx import config
from keryx.kernels import libraries
from keryx.kernels.kernel import KERNELS


@dataclass(frozen=True)
class Report:
    """What serves the kernels.

    Attributes:
        mode: As `keryx.config.set_kernels` has it: auto, native or xla.
        library: The instruction set of the native library that serves, or None.
        libraries: For each instruction set `serves`, `can serve`, or why its library cannot.
        served: Of each kernel that a program was compiled with, how many of its calls go `native` and how many `xla`.
    """

    mode: str
    library: str | None
    libraries: dict[str, str]
    served: dict[str, dict[str, int]]

    def __str__(self) -> str:
        if self.mode == "xla":
            head = "kernels: xla, as set_kernels('xla') says"
        elif self.library is None:
            head = f"kernels: xla, though the mode is {self.mode}: there is no native library for this processor"
        else:
            head = f"kernels: {self.mode}, native library for {self.library}"
        head = "\n".join([head, *(f"  {name}: {state}" for name, state in self.libraries.items())])
        if not self.served:
            return f"{head}\nNo program with a kernel was compiled yet."
        rows = [("kernel", "native", "xla")]
        rows += [(name, str(calls["native"]), str(calls["xla"])) for name, calls in self.served.items()]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{name.ljust(wide[0])}  {count.rjust(wide[1])}  {other.rjust(wide[2])}" for name, count, other in rows
        ]
        return "\n".join([head, *lines])

    __repr__ = __str__


def report() -> Report:
    """What serves the kernels: the library, the mode, and where the calls of the programs compiled so far go.

    A call is counted when its program is compiled, not when it runs.

    >>> import jax, keryx
    >>> _ = jax.jit(lambda x: keryx.kernels.max_pool(x, (1, 2, 1), (1, 2, 1)))(jax.numpy.ones((1, 8, 32)))
    >>> print(keryx.kernels.report())
    kernels: ...
    kernel  native  xla
    ...
    >>> sum(keryx.kernels.report().served["max_pool"].values()) > 0
    True
    """
    mode = config.kernels()
    serving = None if mode == "xla" else libraries.serving()
    states = {name: library.refused or "can serve" for name, library in libraries.libraries().items()}
    if serving is not None:
        states[serving] = "serves"
    served = {name: {"native": k.served["native"], "xla": k.served["xla"]} for name, k in KERNELS.items() if k.served}
    return Report(mode, serving, states, served)
