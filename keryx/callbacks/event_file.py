"""Event files of TensorBoard, written by the package `tensorboard`, without TensorFlow."""

import os
import struct
import time
import zlib
from typing import Any

import numpy as np

from keryx.errors import ConfigError

BUCKETS = 30


def require() -> None:
    """Raise ConfigError where the package is not installed."""
    try:
        import tensorboard.summary.writer.event_file_writer  # noqa: F401
    except ImportError:
        raise ConfigError(
            "Files for TensorBoard are written by the package 'tensorboard', which is not installed: "
            "pip install 'keryx[tensorboard]'."
        ) from None


class EventFile:
    """An event file in a folder, made when something is first written to it.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._writer: Any = None

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Write a number."""
        from tensorboard.plugins.scalar import metadata

        self._add(tag, np.float32(value), step, metadata.create_summary_metadata(tag, ""))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write how the values are spread: rows of left edge, right edge and count."""
        from tensorboard.plugins.histogram import metadata

        values = np.asarray(values, np.float64).ravel()
        counts, edges = np.histogram(values[np.isfinite(values)], BUCKETS)
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
        self._add(tag, rows, step, metadata.create_summary_metadata(tag, ""))

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Write grey pictures, uint8 (pictures, height, width)."""
        from tensorboard.plugins.image import metadata

        _, height, width = pixels.shape
        texts = [str(width).encode(), str(height).encode(), *(png(picture) for picture in pixels)]
        self._add(tag, np.array(texts, dtype=object), step, metadata.create_summary_metadata(tag, ""))

    def keras_graph(self, tag: str, text: str, step: int) -> None:
        """Write the config of a model, which the tab of graphs draws."""
        from tensorboard.compat.proto.summary_pb2 import SummaryMetadata

        metadata = SummaryMetadata()
        metadata.plugin_data.plugin_name = "graph_keras_model"
        metadata.plugin_data.content = b"1"
        self._add(tag, np.array(text.encode(), dtype=object), step, metadata)

    def _add(self, tag: str, value: Any, step: int, metadata: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util.tensor_util import make_tensor_proto

        if self._writer is None:
            os.makedirs(self.folder, exist_ok=True)
            self._writer = EventFileWriter(self.folder)
        one = Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(value))
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[one])))

    def flush(self) -> None:
        """See that all of it is in the file."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the file; what is written later goes to another one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def png(pixels: np.ndarray) -> bytes:
    """A grey picture, uint8 (height, width), as a file of the format PNG (RFC 2083).

    >>> png(np.zeros((1, 1), np.uint8))[:4]
    b'\\x89PNG'
    """

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)  # each by itself, not as a difference
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
