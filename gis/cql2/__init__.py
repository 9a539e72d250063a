"""Filters in CQL2 (OGC 21-065): read from text or JSON, checked against a layer, made into SQL conditions.

The text is parsed by the library `cql2`; its tree, which is that of the JSON encoding, is translated here.
Names come from the definition and values are bound. What is not understood is a QueryError, so a filter is
applied whole or not at all.
"""

from gis.cql2.conditions import filter_condition
from gis.cql2.errors import computing
from gis.cql2.functions import FUNCTIONS, Function
from gis.cql2.reading import LANGUAGES, Filter, check_language, parse_filter

__all__ = [
    "FUNCTIONS",
    "LANGUAGES",
    "Filter",
    "Function",
    "check_language",
    "computing",
    "filter_condition",
    "parse_filter",
]
