"""How a layer is drawn elsewhere: one definition, told as a MapLibre style, as SLD and as QGIS has it."""

from gis.style.maplibre import maplibre_style
from gis.style.project import qgis_project
from gis.style.qml import qml_style
from gis.style.sld import sld_style

__all__ = ["maplibre_style", "qgis_project", "qml_style", "sld_style"]
