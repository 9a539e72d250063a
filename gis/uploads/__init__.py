"""Files that came over HTTP: kept in a folder each from the first byte to the result of their import."""

from gis.uploads.plan import Plan, Source
from gis.uploads.store import Upload, Uploads
from gis.uploads.workshop import Workshop

__all__ = ["Plan", "Source", "Upload", "Uploads", "Workshop"]
