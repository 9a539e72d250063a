"""Bodies of requests."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BatchExecution",
    "BatchInputs",
    "BufferExecution",
    "BufferInputs",
    "Execution",
    "ImportCommit",
    "ImportPlan",
    "ImportSource",
    "NearestExecution",
    "NearestInputs",
    "NewMark",
    "NewWebhook",
    "OverlayExecution",
    "OverlayInputs",
    "Replay",
    "ScreenExecution",
    "ScreenInputs",
    "Subscriber",
    "UpstreamExecution",
    "UpstreamInputs",
]


_SITE = {"type": "Point", "coordinates": [120.047, 28.888]}
_FEATURE = {"type": "Feature", "properties": {}, "geometry": _SITE}


class Output(BaseModel):
    """How one output is wanted; only by value."""

    transmissionMode: Literal["value"] = "value"


class ScreenInputs(BaseModel):
    """What the process ``screen`` is asked."""

    model_config = ConfigDict(extra="forbid")

    site: Annotated[
        dict[str, Any],
        Field(
            description="GeoJSON geometry or feature in lon/lat, or {wkt, crs}",
            examples=[_SITE],
        ),
    ]
    kind: Annotated[str, Field(description="What the site is to be; see the process description")] = "new"
    attributes: Annotated[dict[str, Any], Field(description="What is known of it, by field name")] = {}
    accuracy_m: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Bound of its position error in metres")
    ] = None
    law_date: Annotated[date | None, Field(description="The day whose law counts; today without one")] = None
    as_of: Annotated[
        int | str | None, Field(description="Revision or time of the knowledge; now without one")
    ] = None
    report: Annotated[
        bool, Field(description="Store the answer as a report, with what would pass, and link to it")
    ] = False
    detail: Annotated[
        Literal["full", "live"],
        Field(description="live: only the verdicts, fast enough to follow the hand while a site is drawn"),
    ] = "full"


class Subscriber(BaseModel):
    """Who is told of a job (18-062r2, subscriber.yaml)."""

    model_config = ConfigDict(extra="forbid")

    successUri: Annotated[str, Field(max_length=2000, description="Is sent the results")]
    inProgressUri: Annotated[
        str | None, Field(max_length=2000, description="Is sent the status when the job has begun")
    ] = None
    failedUri: Annotated[str | None, Field(max_length=2000, description="Is sent the error")] = None


class Execution(BaseModel):
    """An execute request (OGC API Processes 18-062r2, 7.11.2) of a process with the one output ``answer``."""

    outputs: Annotated[
        dict[Literal["answer"], Output], Field(description="The outputs that are wanted; all without it")
    ] = {}
    response: Annotated[
        Literal["raw", "document"],
        Field(description="raw: the answer itself; document: the answers by the names of the outputs"),
    ] = "raw"
    subscriber: Annotated[
        Subscriber | None,
        Field(description="Who is told when the process runs as a job: https on the public network"),
    ] = None


class ScreenExecution(Execution):
    """An execute request of ``screen``."""

    inputs: ScreenInputs


class BatchInputs(BaseModel):
    """What the process ``screen-batch`` is asked."""

    model_config = ConfigDict(extra="forbid")

    sites: Annotated[
        dict[str, Any],
        Field(
            description="GeoJSON feature collection in lon/lat; properties are attributes",
            examples=[{"type": "FeatureCollection", "features": [_FEATURE]}],
        ),
    ]
    kind: Annotated[str, Field(description="What the sites are to be; see the process screen")] = "new"
    columns: Annotated[
        dict[str, str], Field(description="Attribute -> property, where they are not called alike")
    ] = {}
    label: Annotated[str | None, Field(description="The property that names the sites")] = None
    accuracy_m: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Bound of their position errors in metres")
    ] = None
    law_date: Annotated[date | None, Field(description="The day whose law counts; today without one")] = None
    as_of: Annotated[
        int | str | None, Field(description="Revision or time of the knowledge; now without one")
    ] = None


class BatchExecution(Execution):
    """An execute request of ``screen-batch``; it always runs as a job."""

    inputs: BatchInputs


class PointGeometry(BaseModel):
    """A GeoJSON point in lon/lat."""

    type: Literal["Point"]
    coordinates: Annotated[list[float], Field(min_length=2, max_length=3)]


class UpstreamInputs(BaseModel):
    """What the process ``upstream`` is asked."""

    model_config = ConfigDict(extra="forbid")

    point: Annotated[
        PointGeometry,
        Field(
            description="GeoJSON point on a river, in lon/lat",
            examples=[{"type": "Point", "coordinates": [120.0593, 28.8326]}],
        ),
    ]
    within_m: Annotated[
        float,
        Field(ge=1, le=1_000_000, allow_inf_nan=False, description="How far up the river to look, metres"),
    ] = 10_000
    aside_m: Annotated[
        float,
        Field(
            ge=0,
            le=20_000,
            allow_inf_nan=False,
            description="How far from the river a source may lie, metres",
        ),
    ] = 1_000
    pollutant: Annotated[
        str | None, Field(max_length=100, description="What was found; ranks those higher that list it")
    ] = None
    accuracy_m: Annotated[
        float | None,
        Field(ge=0, le=10_000, allow_inf_nan=False, description="Bound of the point's error in metres"),
    ] = None
    as_of: Annotated[
        int | str | None, Field(description="Revision or time of the knowledge; now without one")
    ] = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="How many candidates are listed")] = 100


class UpstreamExecution(Execution):
    """An execute request of ``upstream``."""

    inputs: UpstreamInputs


SiteInput = Annotated[
    dict[str, Any],
    Field(description="GeoJSON geometry or feature in lon/lat, or {wkt, crs}", examples=[_SITE]),
]
LayersInput = Annotated[
    list[Annotated[str, Field(max_length=100)]],
    Field(min_length=1, max_length=20, description="Names of layers", examples=[["townships"]]),
]
AsOfInput = Annotated[
    int | str | None, Field(description="Revision or time of the knowledge; now without one")
]


class OverlayInputs(BaseModel):
    """What the process ``overlay`` is asked."""

    model_config = ConfigDict(extra="forbid")

    site: Annotated[
        dict[str, Any] | None,
        Field(description="GeoJSON geometry or feature in lon/lat, or {wkt, crs}", examples=[_SITE]),
    ] = None
    layer: Annotated[
        str | None, Field(max_length=100, description="All rows of this layer, instead of a site")
    ] = None
    layers: LayersInput
    as_of: AsOfInput = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="How many pairs are listed")] = 1000


class OverlayExecution(Execution):
    """An execute request of ``overlay``."""

    inputs: OverlayInputs


class BufferInputs(BaseModel):
    """What the process ``buffer`` is asked."""

    model_config = ConfigDict(extra="forbid")

    site: SiteInput
    distance_m: Annotated[
        float,
        Field(
            ge=-100_000,
            le=100_000,
            allow_inf_nan=False,
            description="Metres; negative shrinks a polygon",
            examples=[500],
        ),
    ]


class BufferExecution(Execution):
    """An execute request of ``buffer``."""

    inputs: BufferInputs


class NearestInputs(BaseModel):
    """What the process ``nearest`` is asked."""

    model_config = ConfigDict(extra="forbid")

    site: SiteInput
    layers: LayersInput
    k: Annotated[int, Field(ge=1, le=1000, description="How many rows")] = 10
    within_m: Annotated[
        float, Field(gt=0, le=1_000_000, allow_inf_nan=False, description="Not farther than so many metres")
    ] = 100_000
    as_of: AsOfInput = None


class NearestExecution(Execution):
    """An execute request of ``nearest``."""

    inputs: NearestInputs


class ImportSource(BaseModel):
    """Where imported data come from."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(max_length=200, description="Name of the source; the file's name without one")
    ] = ""
    title_zh: Annotated[str, Field(max_length=200)] = ""
    title_en: Annotated[str, Field(max_length=200)] = ""
    bureau: Annotated[str | None, Field(max_length=200)] = None
    licence: Annotated[str | None, Field(max_length=200)] = None
    accuracy_m: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Bound of the position error in metres")
    ] = None


class ImportPlan(BaseModel):
    """What was decided about an upload."""

    model_config = ConfigDict(extra="forbid")

    layer: Annotated[str, Field(max_length=100)]
    source: ImportSource = ImportSource()
    crs: Annotated[
        str, Field(max_length=200, description="auto (a clear winner only), EPSG:4549, CRS84, GCJ-02, ...")
    ] = "auto"
    crs_groups: Annotated[
        dict[int, Annotated[str, Field(max_length=200)]],
        Field(description="CRS of single groups of rows, by their number in the proposal"),
    ] = {}
    mapping: Annotated[
        dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=1000)]],
        Field(description="Field -> column of the file; '' for no column"),
    ] = {}
    mode: Literal["upsert", "replace", "append"] = "upsert"
    outside: Annotated[
        Literal["refuse", "keep"], Field(description="What becomes of rows wholly beyond the district")
    ] = "refuse"


class ImportCommit(BaseModel):
    """The word to import what was tried."""

    model_config = ConfigDict(extra="forbid")

    close_many: Annotated[
        bool, Field(description="Let a replace close more than a fifth of the source's rows")
    ] = False


class NewWebhook(BaseModel):
    """Who wants to be told of changes."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=63, description="Letters, digits, dots, hyphens, underscores")]
    url: Annotated[str, Field(max_length=2000, description="Where to send it: https://host/path")]
    layers: Annotated[
        list[Annotated[str, Field(max_length=100)]] | None,
        Field(min_length=1, max_length=200, description="Only these; all without it"),
    ] = None
    since: Annotated[
        int | None, Field(ge=0, le=2**62, description="Begin after this revision; without it with what comes")
    ] = None


class NewMark(BaseModel):
    """What somebody says of a conflict."""

    model_config = ConfigDict(extra="forbid")

    uid: Annotated[str, Field(min_length=1, max_length=1000, description="The conflict")]
    mark: Literal["challenged", "accepted", "withdrawn"]
    why: Annotated[str, Field(min_length=1, max_length=2000, description="The reason")]
    until: Annotated[
        date | None, Field(description="The last day it holds; without it, until taken back")
    ] = None


class Replay(BaseModel):
    """Where to go on telling."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[int, Field(ge=0, le=2**62, description="Everything after this revision is told again")]
