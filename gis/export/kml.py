"""KML 2.2 (OGC 07-147r2) and KMZ: styled as the layer is, every field as ExtendedData, WGS 84 only."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import shapely

from gis.export.beside import Beside
from gis.export.content import Batch, Column, Content, Written, as_text
from gis.export.geojson import with_decimals
from gis.export.options import WriteOptions
from layers.model import Symbol

__all__ = ["write_kml", "write_kmz"]

# XML 1.0 has no sign for these, not even an escaped one (production 2, Char).
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TYPES = {"number": "double", "boolean": "bool"}  # an integer of KML has 32 bits; ours are texts


def write_kml(path: Path, content: Content, options: WriteOptions) -> Written:
    """Write one Document; a text with a sign that XML does not have goes into the table beside."""
    with Beside(path, content.key) as beside, path.open("w", encoding="utf-8", newline="\n") as file:
        rows = _document(file, content, options, beside)
    return Written(rows, beside.count)


def write_kmz(path: Path, content: Content, options: WriteOptions) -> Written:
    """The same in a .zip as Google Earth opens it."""
    folder = path.parent / "parts"
    folder.mkdir()
    inner = folder / "doc.kml"
    with Beside(path, content.key) as beside, inner.open("w", encoding="utf-8", newline="\n") as file:
        rows = _document(file, content, options, beside)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, inner.name)
    inner.unlink()
    folder.rmdir()
    return Written(rows, beside.count)


def _document(file: IO[str], content: Content, options: WriteOptions, beside: Beside) -> int:
    file.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n<Document>\n'
    )
    title = f"{content.layer.title.zh} {content.layer.title.en}" if content.layer else content.name
    file.write(f"<name>{_text(title)}</name>\n")
    file.writelines(_styles(content))
    file.writelines(_schema(content.columns))
    rows = 0
    for batch in content.batches():
        for lines in _placemarks(content, batch, options, beside):
            file.write(lines)
        rows += batch.rows
    file.write("</Document>\n</kml>\n")
    return rows


def _text(text: str) -> str:
    """``text`` inside an element; a carriage return would be read as a line feed."""
    return escape(text, {"\r": "&#13;"})


def _schema(columns: tuple[Column, ...]) -> Iterator[str]:
    yield '<Schema name="fields" id="fields">\n'
    for column in columns:
        said = " ".join(filter(None, (column.zh, column.en, f"[{column.unit}]" if column.unit else "")))
        kind = _TYPES.get(column.kind, "string")
        yield f'<SimpleField name={quoteattr(column.name)} type="{kind}">'
        yield f"<displayName>{_text(said or column.name)}</displayName></SimpleField>\n"
    yield "</Schema>\n"


def _styles(content: Content) -> Iterator[str]:
    """A style for each class of the layer, called s0, s1, ...; the last one is for what is in none."""
    for number, symbol in enumerate(_symbols(content)):
        line, fill = _colour(symbol.colour, 1.0), _colour(symbol.colour, symbol.fill_opacity)
        yield f'<Style id="s{number}"><IconStyle><color>{line}</color></IconStyle>'
        yield f"<LineStyle><color>{line}</color><width>{symbol.line_width:g}</width></LineStyle>"
        yield f"<PolyStyle><color>{fill}</color></PolyStyle></Style>\n"


def _symbols(content: Content) -> list[Symbol]:
    style = content.layer.style if content.layer else None
    if style is None:
        return []
    return [*(style.symbol(entry.value) for entry in style.classes), style.symbol()]


def _colour(colour: str, opacity: float) -> str:
    """KML writes alpha, blue, green, red."""
    red, green, blue = colour[1:3], colour[3:5], colour[5:7]
    return f"{round(opacity * 255):02x}{blue}{green}{red}".lower()


def _placemarks(content: Content, batch: Batch, options: WriteOptions, beside: Beside) -> Iterator[str]:
    shapes = [None] * batch.rows
    if batch.geometry is not None:
        written = with_decimals(batch.geometry, options.decimals)
        shapes = list(shapely.orient_polygons(written) if options.turn_rings else written)
    names = [column.name for column in content.columns]
    key = content.place(content.key)
    own = _own_elements(content, names)
    by, styles = _classes(content, names)
    for row, shape in zip(zip(*batch.columns, strict=True), shapes, strict=True):
        yield "<Placemark>"
        for element, place in own.items():
            if row[place] is not None:
                yield f"<{element}>{_text(_NO_XML.sub('', as_text(row[place])))}</{element}>"
        if styles:
            value = None if by is None else row[by]
            yield f"<styleUrl>#s{styles.get(value, len(styles) - 1)}</styleUrl>"
        yield '<ExtendedData><SchemaData schemaUrl="#fields">'
        for name, value in zip(names, row, strict=True):
            if value is None:
                continue
            text = as_text(value)
            if _NO_XML.search(text):
                beside.put(str(row[key]), name, text, "character_not_allowed")
            else:
                yield f"<SimpleData name={quoteattr(name)}>{_text(text)}</SimpleData>"
        yield f"</SchemaData></ExtendedData>{'' if shape is None else _shape(shape)}</Placemark>\n"


def _own_elements(content: Content, names: list[str]) -> dict[str, int]:
    """The columns that stand in elements of KML's own.

    A reader such as GDAL takes these elements for the field of that name. So a field called "name" is the
    name of a mark, and only a layer without one has its label there.
    """
    found: dict[str, int] = {
        element: names.index(element) for element in ("name", "description") if element in names
    }
    if "name" not in found and content.layer is not None and content.layer.names.label in names:
        return {"name": names.index(content.layer.names.label), **found}
    return found


def _classes(content: Content, names: list[str]) -> tuple[int | None, dict[str | None, int]]:
    """The column that says the class, and the number of the style for each class."""
    style = content.layer.style if content.layer is not None else None
    if style is None:
        return None, {}
    styles: dict[str | None, int] = {entry.value: number for number, entry in enumerate(style.classes)}
    styles[None] = len(styles)
    return names.index(style.by) if style.by in names else None, styles


def _shape(shape: Any) -> str:
    kind = shape.geom_type
    if kind == "Point":
        return f"<Point><coordinates>{_coordinates(shape)}</coordinates></Point>"
    if kind in ("LineString", "LinearRing"):
        return f"<LineString><coordinates>{_coordinates(shape)}</coordinates></LineString>"
    if kind == "Polygon":
        inner = "".join(f"<innerBoundaryIs>{_ring(ring)}</innerBoundaryIs>" for ring in shape.interiors)
        return f"<Polygon><outerBoundaryIs>{_ring(shape.exterior)}</outerBoundaryIs>{inner}</Polygon>"
    return f"<MultiGeometry>{''.join(_shape(part) for part in shape.geoms)}</MultiGeometry>"


def _ring(ring: Any) -> str:
    return f"<LinearRing><coordinates>{_coordinates(ring)}</coordinates></LinearRing>"


def _coordinates(shape: Any) -> str:
    pairs = np.asarray(shapely.get_coordinates(shape)).tolist()
    return " ".join(f"{x!r},{y!r}" for x, y in pairs)
