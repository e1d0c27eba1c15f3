"""Which of Keras's public names Keryx has, with a signature that takes the same calls.

    python tests/api_coverage.py [--missing]

The names are those of the Keras that is installed (the oracle of the tests). A name counts where a call that Keras
takes is taken here: each argument is there by its name, those that are taken by place stand at Keras's places, and none
is demanded that Keras does not demand. Long rows of options that all classes of a family share are taken by name alone.
"""

import argparse
import importlib
import inspect
import os
import types

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def namespaces(module, path=""):
    """Each public namespace of Keras with its path below `keras`, "" for the root."""
    yield path, module
    for name, value in sorted(vars(module).items()):
        inner = f"{path}.{name}" if path else name
        home = value.__name__ if isinstance(value, types.ModuleType) else ""
        if home.startswith("keras.") and ".src" not in home and inner != "legacy" and name[0] != "_":
            yield from namespaces(value, inner)


def public(module) -> dict:
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def signature(value) -> inspect.Signature | None:
    try:
        return inspect.signature(value)
    except (TypeError, ValueError):
        return None


def difference(ours, theirs) -> str | None:
    """Why a call that `theirs` takes may not be taken by `ours`; `None` where it is."""
    if not callable(theirs):
        return None
    if not callable(ours):
        return "is not callable"
    mine, wanted = signature(ours), signature(theirs)
    if mine is None or wanted is None:
        return None
    have = list(mine.parameters.values())
    want = [p for p in wanted.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    names = {p.name for p in have}
    if not any(p.kind is p.VAR_KEYWORD for p in have):
        for p in want:
            if p.name not in names and p.kind is not p.POSITIONAL_ONLY:
                return f"has no argument {p.name!r}"
    placed = [p.name for p in have if p.kind is p.POSITIONAL_OR_KEYWORD]
    for ours_there, theirs_there in zip(placed, (p for p in want if p.kind is p.POSITIONAL_OR_KEYWORD), strict=False):
        if ours_there != theirs_there.name:
            return f"takes {ours_there!r} where Keras takes {theirs_there.name!r}"
    if any(p.kind is p.VAR_POSITIONAL for p in wanted.parameters.values()):
        return None
    demanded = {p.name for p in want if p.default is p.empty}
    for p in have:
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in demanded:
            return f"demands {p.name!r}"
    return None


def find(path: str):
    """What stands at a dotted path below `keryx`; AttributeError where nothing does."""
    value = importlib.import_module("keryx")
    for part in path.split("."):
        value = getattr(value, part)
    return value


def walk() -> dict[str, dict[str, str | None]]:
    """By namespace, each of Keras's names with what is wrong: `None`, "missing", "later: ...", the difference."""
    import keras

    from keryx import later

    found: dict[str, dict[str, str | None]] = {}
    for path, module in namespaces(keras):
        rows = found.setdefault(path, {})
        for name, theirs in sorted(public(module).items()):
            full = f"{path}.{name}" if path else name
            try:
                rows[name] = difference(find(full), theirs)
            except AttributeError:
                why = later.reason(full)
                rows[name] = f"later: {why}" if why else "missing"
    return {path: rows for path, rows in found.items() if rows}


def row(name: str, right: int, total: int, later: int) -> str:
    return f"{name:45} {right:4} of {total:4}{f', {later} for later' if later else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--missing", action="store_true", help="print the names that are missing or differ")
    options = parser.parse_args()
    everything = walk()
    sums = [0, 0, 0]
    for path, rows in everything.items():
        later = sum(str(why).startswith("later") for why in rows.values())
        counts = [sum(why is None for why in rows.values()), len(rows), later]
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        print(row(f"keras.{path}".rstrip("."), *counts))
        if options.missing:
            for name, why in rows.items():
                if why is not None:
                    print(f"    {name}: {why}")
    print(row("together", *sums))


if __name__ == "__main__":
    main()
