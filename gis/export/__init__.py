"""A layer into a file: GeoJSON, GeoPackage, FlatGeobuf, GeoParquet, Shapefile, CSV, XLSX, KML, or a map page.

The ending of the file's name says which. A file appears whole or not at all, and nothing in it is cut: what
its format cannot hold is refused, or stands in a table beside it. docs/formats.md says what that is.
"""

from gis.export.formats import FORMATS
from gis.export.layer import ExportResult, export_layer, write_items
from gis.export.options import WriteOptions
from gis.importing.reading.guards import safe_cell, unsafe_cell

__all__ = [
    "FORMATS",
    "ExportResult",
    "WriteOptions",
    "export_layer",
    "safe_cell",
    "unsafe_cell",
    "write_items",
]
