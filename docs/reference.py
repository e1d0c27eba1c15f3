"""The API reference, made of the docstrings when the site is built: a page a namespace, or a page a family of it.

    python docs/reference.py FOLDER

What is public is asked of the packages themselves: the names that a module defines, hands on (`from a import b as b`)
or finds late (`keryx/lazy.py`). An object is told of once, where it is at home, and linked from where else it stands.
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ALSO = ("errors", "kernels")  # public, though `import keryx` does not hand them on by name
# Their modules are public too, as they are in Keras, with the package's names and these.
WHOLE = {"keryx.applications": {"decode_predictions", "preprocess_input"}}
LARGE = 100  # a namespace of more names has a page for each family


@dataclass
class Thing:
    """A public class or function.

    Args:
        name: Its name in the namespace.
        value: The class or function.
        others: Its other names there.
    """

    name: str
    value: Any
    others: list[str] = field(default_factory=list)


@dataclass
class Page:
    """A page of the reference.

    Args:
        path: Where it lies, such as `layers/core.md`.
        title: Its heading.
        namespace: What its things are found in, such as `keryx.layers`.
        intro: What stands above them.
        things: What it tells of.
    """

    path: str
    title: str
    namespace: str
    intro: str
    things: list[Thing]


# -- what is public ------------------------------------------------------------------------------------------------


def imported(module: types.ModuleType) -> tuple[set[str], set[str]]:
    """The names that a module imports for itself, and those that it hands on."""
    own, handed = set(), set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                (handed if alias.asname == alias.name else own).add((alias.asname or alias.name).partition(".")[0])
    return own, handed


def late(module: types.ModuleType) -> dict[str, str]:
    """The names that a module imports when they are asked for, each with its home."""
    listed = vars(module).get("__dir__")
    return inspect.getclosurevars(listed).nonlocals["where"] if listed else {}


def namespaces(module: types.ModuleType, path: str = "keryx") -> Iterator[tuple[str, types.ModuleType]]:
    """A public module and those that it hands on, each with the path that a user writes."""
    yield path, module
    handed = imported(module)[1] | set(late(module)) | (set(ALSO) if path == "keryx" else set())
    if path in WHOLE:
        handed |= {home.rpartition(".")[2] for home in late(module).values()}
    for name in sorted(handed):
        inner = getattr(module, name, None) or importlib.import_module(f"{path}.{name}")
        if isinstance(inner, types.ModuleType) and inner.__name__ == f"{module.__name__}.{name}":
            yield from namespaces(inner, f"{path}.{name}")


def things(module: types.ModuleType) -> list[Thing]:
    """The public classes and functions of a module, sorted by name; other names of one are told with it."""
    found: dict[int, Thing] = {}
    own = imported(module)[0] - late(module).keys()
    names = [name for name in dir(module) if name[0] != "_" and name not in own]
    package = module.__name__.rpartition(".")[0]
    if package in WHOLE:
        names = [name for name in names if name in WHOLE[package] | late(sys.modules[package]).keys()]
    for name in sorted(names, key=lambda name: (getattr(getattr(module, name), "__name__", "") != name, name)):
        value = getattr(module, name)
        if not callable(value) or not str(getattr(value, "__module__", "")).startswith("keryx"):
            continue
        if id(value) in found:
            found[id(value)].others.append(name)
        else:
            found[id(value)] = Thing(name, value)
    return sorted(found.values(), key=lambda thing: thing.name.lower())


def first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]


def pages() -> list[Page]:
    """Every page, in order."""
    found = []
    public = dict(namespaces(importlib.import_module("keryx")))
    for path, module in public.items():
        inside = things(module)
        place = path.partition(".")[2].replace(".", "/") or "keryx"
        intro = first_line(module.__doc__)
        if len(inside) <= LARGE:
            holds = path != "keryx" and any(other.startswith(f"{path}.") for other in public)
            if inside or holds:
                found.append(Page(f"{place}/index.md" if holds else f"{place}.md", path, path, intro, inside))
            continue
        families: dict[str, list[Thing]] = {}
        for thing in inside:
            home = thing.value.__module__
            family = home.removeprefix(module.__name__ + ".").partition(".")[0]
            families.setdefault(family if home.startswith(module.__name__ + ".") else "other", []).append(thing)
        found.append(Page(f"{place}/index.md", path, path, intro, []))
        for family, members in sorted(families.items()):
            about = sys.modules.get(f"{module.__name__}.{family}")
            found.append(
                Page(f"{place}/{family}.md", f"{path}: {family}", path, first_line(about and about.__doc__), members)
            )
    return found


def is_told(member: Any) -> bool:
    """Whether a member of a class is a method or property of Keryx's that has a docstring."""
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return (
        isinstance(function, types.FunctionType) and function.__module__.startswith("keryx") and bool(function.__doc__)
    )


# -- docstrings ----------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Text of a docstring as Markdown: what stands between backticks is code, and nothing else is markup.

    >>> plain("a * b, `c * d` and <e>; alias of :func:`jax.numpy.abs`")
    'a \\\\* b, `c * d` and &lt;e>; alias of `jax.numpy.abs`'
    """
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)  # as JAX, whose functions some ops are, has it
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part[:1] == "`" else re.sub(r"([*_\[\]|\\#])", r"\\\1", part).replace("<", "&lt;") for part in parts
    )


def paragraphs(text: str) -> Iterator[str]:
    """Prose, lists and examples, each as it is to stand in the page."""
    for block in re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n")):
        lines = block.splitlines()
        start = next((i for i, line in enumerate(lines) if line.lstrip().startswith(">>>")), len(lines))
        if prose := lines[:start]:
            items = re.match(r"\s*[-*] ", prose[0])
            indented = all(line.startswith("    ") for line in prose)
            joined = "\n".join(prose)
            if indented:
                yield f"```text\n{textwrap.dedent(joined)}\n```"
            else:
                yield joined if items else plain(joined)
        if example := lines[start:]:
            yield "```pycon\n" + textwrap.dedent("\n".join(example)) + "\n```"


def told(doc: str) -> Iterator[str]:
    """A docstring as Markdown."""
    from griffe import Docstring

    sections = Docstring(doc).parse("google", warnings=False, returns_named_value=False, returns_multiple_items=False)
    for section in sections:
        kind, value = section.kind.value, section.value
        if kind == "text":
            yield from paragraphs(value)
        elif kind == "admonition":
            yield f"**{plain(section.title)}**"
            yield from paragraphs(value.description)
        elif kind == "examples":
            yield from ("```pycon\n" + text + "\n```" for _, text in value)
        else:
            yield f"**{TITLES[kind]}**"
            yield "\n".join(item(kind, entry) for entry in value)


TITLES = {
    "parameters": "Arguments",
    "other parameters": "Arguments",
    "attributes": "Attributes",
    "raises": "Raises",
    "returns": "Returns",
    "yields": "Yields",
}


def item(kind: str, entry: Any) -> str:
    """One argument, attribute or error."""
    text = plain(" ".join(str(entry.description).split()))
    if kind in ("returns", "yields"):
        return f"{plain(str(entry.annotation))}: {text}" if entry.annotation else text
    return f"- `{entry.annotation if kind == 'raises' else entry.name}`: {text}"


def call(name: str, value: Any) -> str:
    """How a thing is called: its signature without annotations, wrapped."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return name
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name not in ("self", "cls")]
    shown = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    shown = re.sub(r"<(?:function|class) '?([\w.]+)'?[^>]*>", lambda m: m[1].rpartition(".")[2], shown)
    return "\n".join(textwrap.wrap(name + shown, 90, subsequent_indent="    ", break_long_words=False))


# -- pages ---------------------------------------------------------------------------------------------------------


class Reference:
    """The text of every page."""

    def __init__(self):
        self.pages = pages()
        self.homes: dict[int, tuple[Page, Thing]] = {}  # where each object is told of
        for at_home in (True, False):
            for page in reversed(self.pages):  # the root, which hands on what others have, comes last
                for thing in page.things:
                    if not at_home or str(thing.value.__module__).startswith(page.namespace):
                        self.homes.setdefault(id(thing.value), (page, thing))

    def texts(self) -> Iterator[tuple[str, str]]:
        """The path and the Markdown of each page."""
        yield "index.md", self.index()
        for page in self.pages:
            yield page.path, self.text(page)

    def index(self) -> str:
        rows = [
            f"| [`{page.title}`]({page.path}) | {plain(page.intro)} |" for page in self.pages if ":" not in page.title
        ]
        intro = (
            "Every public name, from the docstrings. Names, arguments and defaults are those of Keras 3.15; what is "
            "Keryx's own, or [different](../differences.md), says so.\n\n| namespace | what is in it |\n|---|---|"
        )
        return "\n".join(["# API reference", "", intro, *rows, ""])

    def text(self, page: Page) -> str:
        lines = [f"# {page.title}", plain(page.intro)]
        if not page.things:
            for other in self.pages:
                if other is not page and other.path.startswith(page.path.removesuffix("index.md")):
                    lines.append(f"## [{plain(Path(other.path).stem)}]({Path(other.path).name})")
                    lines.append(plain(other.intro))
                    lines.append("\n".join(self.row(other, thing) for thing in other.things))
        for thing in page.things:
            lines += self.thing(page, thing)
        return "\n\n".join(line for line in lines if line) + "\n"

    def row(self, page: Page, thing: Thing) -> str:
        link = f"{Path(page.path).name}#{page.namespace}.{thing.name}"
        return f"- [`{thing.name}`]({link}): {plain(first_line(inspect.getdoc(thing.value)))}"

    def thing(self, page: Page, thing: Thing) -> Iterator[str]:
        full = f"{page.namespace}.{thing.name}"
        yield f"## {plain(thing.name)} {{ #{full} }}"
        home, there = self.homes[id(thing.value)]
        if home is not page:
            up = "../" * page.path.count("/")
            name = f"{home.namespace}.{there.name}"
            yield f"The same as [`{name}`]({up}{home.path}#{name}): {plain(first_line(inspect.getdoc(thing.value)))}"
            return
        yield f"```python\n{call(full, thing.value)}\n```"
        if thing.others:
            yield "Other names: " + ", ".join(f"`{name}`" for name in thing.others) + "."
        yield from told(inspect.getdoc(thing.value) or "")
        if inspect.isclass(thing.value):
            for name, member in sorted(self.members(thing.value)):
                yield f"### {plain(name)} {{ #{full}.{name} }}"
                if not isinstance(member, property):
                    yield f"```python\n{call(name, inspect.unwrap(getattr(member, '__func__', member)))}\n```"
                yield from told(inspect.getdoc(member) or "")

    def members(self, cls: type) -> Iterator[tuple[str, Any]]:
        """What a class has of its own, and from bases that have no place of their own in the reference."""
        seen = set()
        for base in cls.__mro__:
            if base is not cls and (id(base) in self.homes or not base.__module__.startswith("keryx")):
                return
            for name, member in vars(base).items():
                if name[0] != "_" and name not in seen and is_told(member):
                    seen.add(name)
                    yield name, member


def write(folder: Path) -> None:
    """Write all pages into a folder, and touch none that stands there already."""
    texts = dict(Reference().texts())
    for old in folder.rglob("*.md"):
        if old.relative_to(folder).as_posix() not in texts:
            old.unlink()
    for path, text in texts.items():
        target = folder / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
