"""A district: where the map is, how it is stored and measured, and which rules are on. One TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from layers.access import Access
from layers.model import Colour, DefinitionError, Frozen, Text, Unfit
from layers.vocabulary import SHIPPED, as_definition_error, read_toml

__all__ = [
    "AreaUnit",
    "ColourStop",
    "District",
    "PlaceAlias",
    "Places",
    "Raster",
    "RasterClass",
    "View",
    "load_district",
]

_Longitude = Annotated[float, pydantic.Field(ge=-180, le=180)]
_Latitude = Annotated[float, pydantic.Field(ge=-90, le=90)]


class View(Frozen):
    """Where the map opens: centre (lon, lat) in degrees and zoom level."""

    center: tuple[_Longitude, _Latitude]
    zoom: Annotated[int, pydantic.Field(ge=0, le=22)]


class AreaUnit(Frozen):
    """A local unit of area beside square metres, such as 亩 = 2000/3 m²."""

    name: Text
    m2: Annotated[float, pydantic.Field(gt=0)]


class ColourStop(Frozen):
    """A colour of a continuous ramp at one raster value; between stops colours are interpolated."""

    value: float
    colour: Colour


class RasterClass(Frozen):
    """One value of a classified raster with its meaning and colour."""

    value: int
    label: Text
    colour: Colour


class _BesideFile(Frozen):
    """Base of objects that name files; a relative path starts at the folder of the district's file."""

    @staticmethod
    def found(value: Path | None, info: ValidationInfo) -> Path | None:
        """The absolute path of an existing file; Unfit when it is missing."""
        if value is None:
            return None
        path = (Path((info.context or {}).get("folder", ".")) / value).resolve()
        if not path.is_file():
            raise Unfit(f"File {value} does not exist.", f"Expected at {path}.")
        return path


class Raster(_BesideFile):
    """A raster shown on the map, continuous (colour ramp) or classified."""

    id: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    file: Path
    title: Text
    abstract: Text
    unit: str | None = None
    kind: Literal["continuous", "classes"]
    colours: tuple[ColourStop, ...] = ()
    classes: tuple[RasterClass, ...] = ()
    attribution: Text
    licence: str
    opacity: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.7

    _found = field_validator("file")(_BesideFile.found)

    @model_validator(mode="after")
    def _colours_fit_kind(self) -> Self:
        if self.kind == "continuous" and (len(self.colours) < 2 or self.classes):
            raise Unfit(f"Raster {self.id!r} is continuous.", "Give at least two colours and no classes.")
        if self.kind == "classes" and (not self.classes or self.colours):
            raise Unfit(f"Raster {self.id!r} is classified.", "Give classes and no colours.")
        stops = [stop.value for stop in self.colours]
        if stops != sorted(set(stops)):
            raise Unfit(f"Raster {self.id!r} has colours out of order.", "Sort them by rising value.")
        return self


class PlaceAlias(Frozen):
    """A name that is no place of its own, and the township or county that it is placed at."""

    name: Annotated[str, pydantic.Field(min_length=2)]
    stands_for: Annotated[str, pydantic.Field(min_length=2)]


class Places(Frozen):
    """How rows without coordinates are placed by what they name; all bounds in metres.

    ``township_bound_m`` is the farthest that a thing of a township lies from its seat, for townships known by
    their seat only; without it such seats place nothing. Things of one address or one enterprise lie within
    ``same_site_m`` of each other.
    """

    township_bound_m: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    same_site_m: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 500.0
    aliases: tuple[PlaceAlias, ...] = ()


class District(_BesideFile):
    """One district.

    ``extent`` is (lon_min, lat_min, lon_max, lat_max) in degrees; CRSs are EPSG numbers. A subject whose
    position error exceeds ``coarse_position_m`` is too coarse to judge zone by zone: what is in doubt
    about it is told once a verdict, not once a zone. A report is good for ``report_valid_days``. ``access``
    says of a layer what the district wants otherwise than the layer's own [access].
    """

    id: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
    name: Text
    extent: tuple[_Longitude, _Latitude, _Longitude, _Latitude]
    storage_crs: Annotated[int, pydantic.Field(gt=0)]
    measuring_crs: Annotated[int, pydantic.Field(gt=0)]
    view: View
    languages: Annotated[tuple[Literal["zh", "en"], ...], pydantic.Field(min_length=1)] = ("zh", "en")
    rule_packs: tuple[str, ...] = ()
    site_accuracy_m: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
    coarse_position_m: Annotated[float, pydantic.Field(gt=0)] = 500.0
    report_valid_days: Annotated[int, pydantic.Field(ge=1)] = 180
    places: Places = Places()
    demo: Path | None = None
    attribution: Text
    area_unit_local: AreaUnit | None = None
    rasters: tuple[Raster, ...] = ()
    access: Mapping[str, Access] = pydantic.Field(default_factory=dict)

    _found = field_validator("demo")(_BesideFile.found)

    @model_validator(mode="after")
    def _place_fits(self) -> Self:
        west, south, east, north = self.extent
        if not (west < east and south < north):
            raise Unfit(
                f"Extent {self.extent} is empty.", "Write it as [west, south, east, north] in degrees."
            )
        lon, lat = self.view.center
        if not (west <= lon <= east and south <= lat <= north):
            raise Unfit(f"The view's centre {self.view.center} lies outside the extent.", "Move one of them.")
        ids = [raster.id for raster in self.rasters]
        if len(ids) != len(set(ids)):
            raise Unfit("Two rasters have the same id.", "Rename one of them.")
        return self


def load_district(path: Path | None = None) -> District:
    """The district of the file at ``path``; without one, the only file in ``layers/districts``.

    Raises DefinitionError when the file is wrong, or when none is given and not exactly one is shipped.
    """
    path = _only_shipped(SHIPPED / "districts") if path is None else path
    raw = read_toml(path)
    try:
        return District.model_validate(raw, context={"folder": path.parent})
    except ValidationError as error:
        raise as_definition_error(path, error, raw) from error


def _only_shipped(folder: Path) -> Path:
    files = sorted(folder.glob("*.toml"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise DefinitionError(
            folder, f"One district must be chosen; shipped: {names}.", "Set ONEMAP_DISTRICT to its file."
        )
    return files[0]
