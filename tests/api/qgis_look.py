"""Run by QGIS's own Python: open the project, look at every layer, filter, identify, draw, and say so.

python3 qgis_look.py PROJECT.qgs STYLES_FOLDER PICTURE.png
"""

import faulthandler
import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsMapRendererCustomPainterJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage, QPainter

BOX = QgsRectangle(119.99, 28.89, 120.06, 28.92)
WEB = QgsCoordinateReferenceSystem("EPSG:3857")


def look(project, styles, picture):
    """What the project, the layer of wells and the style files are to QGIS."""
    held = QgsProject.instance()
    found = {"read": held.read(project), "title": held.title(), "crs": held.crs().authid()}
    layers = held.mapLayers()
    found["invalid"] = [name for name, layer in layers.items() if not layer.isValid()]
    wells = layers["onemap_layer_wells"]
    found["renderer"] = wells.renderer().type()
    found["categories"] = [category.value() for category in wells.renderer().categories()]
    found["wells"] = sorted(f["uid"] for f in wells.getFeatures(QgsFeatureRequest().setFilterRect(BOX)))
    dug = QgsFeatureRequest().setFilterExpression("\"kind\" = 'dug'").setFilterRect(BOX)
    found["dug"] = sorted(f["uid"] for f in wells.getFeatures(dug))
    spot = QgsRectangle(120.049, 28.904, 120.051, 28.906)
    found["identified"] = [f["name"] for f in wells.getFeatures(QgsFeatureRequest().setFilterRect(spot))]
    found["colours"] = painted(wells, picture)
    found["styles"] = {path.stem: style(path) for path in sorted(Path(styles).glob("*.qml"))}
    return found


def painted(layer, picture):
    """The colours of a picture of the layer, but for white."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(WEB)
    turned = QgsCoordinateTransform(QgsCoordinateReferenceSystem("OGC:CRS84"), WEB, QgsProject.instance())
    settings.setExtent(turned.transformBoundingBox(BOX))
    settings.setOutputSize(QSize(600, 400))
    settings.setBackgroundColor(QColor("white"))
    image = QImage(settings.outputSize(), QImage.Format_ARGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    # In this thread: those that fetch the layer wait for it, and a job of its own would keep it waiting too.
    QgsMapRendererCustomPainterJob(settings, painter).renderSynchronously()
    painter.end()
    image.save(picture)
    seen = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    return sorted(seen - {"#ffffff"})


def style(path):
    """How many symbols QGIS reads from a style file; an error's words where it does not."""
    kind, number = path.stem.split("-", 1)[0], path.stem
    layer = QgsVectorLayer(f"{kind}?crs=EPSG:4490", number, "memory")
    message, read = layer.loadNamedStyle(str(path))
    return len(layer.renderer().symbols(_context())) if read else message


def _context():
    from qgis.core import QgsRenderContext

    return QgsRenderContext()


faulthandler.dump_traceback_later(150, exit=True)
application = QgsApplication([], False)
application.initQgis()
sys.stdout.write("FOUND " + json.dumps(look(*sys.argv[1:])) + "\n")
application.exitQgis()
