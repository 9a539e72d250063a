"""Rows that imports refused or repaired: why, given back to be mended, and taken again."""

from gis.rejections.giving import GivenBack, export_rejects
from gis.rejections.listing import Rejection, list_rejections, sentences
from gis.rejections.retry import Retried, retry_rejects

__all__ = [
    "GivenBack",
    "Rejection",
    "Retried",
    "export_rejects",
    "list_rejections",
    "retry_rejects",
    "sentences",
]
