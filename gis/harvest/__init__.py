"""Other platforms as sources, asked again by the clock.

    kind      asks                                  what is new                         deletions
    oapif     a collection, by its next links       updated, where CQL2 is offered      whole only
    wfs       a feature type, by startIndex         updated, by a filter                whole only
    arcgis    a layer of a Feature- or MapServer    its edit date, or updated           whole only
    postgis   a table or view, read only            updated                             whole only
    http      a file                                all or nothing: ETag, date, hash    each time it changed

What is fetched goes into a scratch file and through `gis.importing.import_file`, like any other file: one
revision, or nothing.
"""

from gis.harvest.book import add_harvest, due, find_harvest, list_harvests, remove_harvest
from gis.harvest.model import Harvest, Wishes
from gis.harvest.net import NetLimits
from gis.harvest.run import HarvestResult, back_off, forget_runs, run_harvest

__all__ = [
    "Harvest",
    "HarvestResult",
    "NetLimits",
    "Wishes",
    "add_harvest",
    "back_off",
    "due",
    "find_harvest",
    "forget_runs",
    "list_harvests",
    "remove_harvest",
    "run_harvest",
]
