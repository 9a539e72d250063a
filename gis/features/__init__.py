"""Rows of a layer for whoever asks: pages, single ones, what a layer holds as a whole, and search."""

from gis.features.at_once import page_at_once
from gis.features.digits import rounded
from gis.features.facts import (
    LayerFacts,
    content_stamp,
    district_box,
    find_layer,
    layer_facts,
    sources_stamp,
)
from gis.features.jsonfg import TIME_PROPERTIES, as_jsonfg, in_lonlat
from gis.features.paging import Page, items
from gis.features.places import Place, read_place, write_place
from gis.features.preparing import PreparedItems, prepare_items
from gis.features.query import ItemQuery, chosen_properties, property_fields
from gis.features.reading import Feature, features_of, item, read_rows, select_items
from gis.features.search import Hit, search
from gis.features.sorting import SortKey, parse_sort, sortable
from gis.features.standing import Standing, form_seen, standing_of
from gis.features.texts import Texts

__all__ = [
    "TIME_PROPERTIES",
    "Feature",
    "Hit",
    "ItemQuery",
    "LayerFacts",
    "Page",
    "Place",
    "PreparedItems",
    "SortKey",
    "Standing",
    "Texts",
    "as_jsonfg",
    "chosen_properties",
    "content_stamp",
    "district_box",
    "features_of",
    "find_layer",
    "form_seen",
    "in_lonlat",
    "item",
    "items",
    "layer_facts",
    "page_at_once",
    "parse_sort",
    "prepare_items",
    "property_fields",
    "read_place",
    "read_rows",
    "rounded",
    "search",
    "select_items",
    "sortable",
    "sources_stamp",
    "standing_of",
    "write_place",
]
