"""Models that leave: as ONNX, as StableHLO programs with their weights, as TensorFlow's SavedModel."""

from keryx.export.archive import ExportArchive as ExportArchive
from keryx.export.formats import export_model as export_model
from keryx.export.loaded import load as load
