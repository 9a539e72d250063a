"""One module for each kind of file: ``read(path, options, spool) -> Header``, run in the reading child.

A module adds batches and issues to the spool and raises `gis.importing.issues.refused` for a file that cannot
be taken as a whole. Rows are counted, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["FORMATS", "reader"]

# Sniffed format -> module beside this file.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "geojson": "geojson",
        "geojsonseq": "geojson",
        "kml": "kml",
        "csv": "delimited",
        "xlsx": "workbook",
        "boundary-points": "boundary_points",
        "wkt": "paste",
        "wkb": "paste",
        "shapefile": "shapefile",
        "gpkg": "gpkg",
        "flatgeobuf": "gdal",
        "filegdb": "gdal",
        "dxf": "gdal",
        "geoparquet": "geoparquet",
    }
)


def reader(format: str) -> Callable[[Path, ReadOptions, Spool], Header]:
    """The ``read`` of the module that reads ``format``. Raises KeyError for a format nobody reads."""
    module = import_module(f"{__name__}.{FORMATS[format]}")
    return cast(Callable[[Path, ReadOptions, Spool], Header], module.read)
