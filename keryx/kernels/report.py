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
        ways: Of each kernel and platform, the ways in the order in which they are tried; a platform that is not named
            has `plain`, the definition, alone.
        served: Of each kernel that a program was compiled with, how many of its calls go which way: `native` code, a
            `detour` for XLA's CPU compiler, or `plain`.
    """

    mode: str
    library: str | None
    libraries: dict[str, str]
    ways: dict[str, dict[str, list[str]]]
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
        rows = [("kernel", "calls", "ways")]
        for name, calls in self.served.items():
            counts = ", ".join(f"{way} {count}" for way, count in calls.items())
            ways = "; ".join(f"{platform}: {', '.join(names)}" for platform, names in self.ways[name].items())
            rows.append((name, counts, ways or "plain"))
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{name.ljust(wide[0])}  {counts.ljust(wide[1])}  {ways}" for name, counts, ways in rows]
        return "\n".join([head, *lines])

    __repr__ = __str__


def report() -> Report:
    """What serves the kernels: the library, the mode, and where the calls of the programs compiled so far go.

    A call is counted when its program is compiled, not when it runs.

    >>> import jax, keryx
    >>> _ = jax.jit(lambda x: keryx.kernels.max_pool(x, 2))(jax.numpy.ones((1, 8, 32)))
    >>> print(keryx.kernels.report())
    kernels: ...
    kernel...calls...ways
    ...
    >>> keryx.kernels.report().ways["max_pool"]
    {'cpu': ['native', 'plain']}
    >>> sum(keryx.kernels.report().served["max_pool"].values()) > 0
    True
    """
    mode = config.kernels()
    serving = None if mode == "xla" else libraries.serving()
    states = {name: library.refused or "can serve" for name, library in libraries.libraries().items()}
    if serving is not None:
        states[serving] = "serves"
    ways = {
        name: {platform: [*(way.name for way in best_first), "plain"] for platform, best_first in k.ways.items()}
        for name, k in KERNELS.items()
    }
    return Report(mode, serving, states, ways, {name: dict(k.served) for name, k in KERNELS.items() if k.served})
