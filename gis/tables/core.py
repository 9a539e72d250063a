"""The fixed tables of schema ``core``: sources, revisions, imports, conflicts, reports."""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

__all__ = [
    "CORE",
    "NAMING",
    "conflict_marks",
    "coverage",
    "field_maps",
    "harvest_runs",
    "harvests",
    "import_runs",
    "judgings",
    "links",
    "promises",
    "rejects",
    "report_faces",
    "reports",
    "revision_layers",
    "revisions",
    "rule_texts",
    "sources",
    "store",
    "uncovered",
]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

CORE = MetaData(schema="core", naming_convention=NAMING)

store = Table(
    "store",
    CORE,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts that the whole store rests on, such as its storage CRS",
)

sources = Table(
    "sources",
    CORE,
    Column("source_id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("bureau", Text),
    Column("licence", Text),
    Column("attribution", Text),
    Column("url", Text),
    Column("accuracy_m", Double, comment="bound of the position error in metres; null is unknown"),
    Column("crs", Text, comment="CRS the data came in"),
    Column("transformation", Text, comment="operation that brought them into the storage CRS"),
    Column("is_demonstration", Boolean, nullable=False, server_default="false"),
    Column("contact", Text, comment="who answers for the data"),
    Column("rhythm", Text, comment="promised time between updates: ISO 8601 duration, or irregular"),
    Column("notes", Text),
    Column("identifier", Text, comment="what others call the data: scheme:value, or value"),
    comment="Where rows come from",
)

promises = Table(
    "promises",
    CORE,
    Column("source_id", Integer, ForeignKey(sources.c.source_id), primary_key=True),
    Column("layer", Text, primary_key=True),
    Column("expected_rows", BigInteger, comment="about so many rows the source has of the layer"),
    Column("rhythm", Text, comment="where the layer has another than the source as a whole"),
    comment="What a source promises of one layer",
)

revisions = Table(
    "revisions",
    CORE,
    Column("rev", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("who", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="import, revert, refresh, edit, source, access"),
    Column("note", Text, nullable=False, server_default=""),
    Column("source_id", Integer, ForeignKey(sources.c.source_id)),
    Column("reverts", BigInteger, comment="the revision that this one undoes"),
    comment="Every write of layer rows, numbered in commit order",
)

revision_layers = Table(
    "revision_layers",
    CORE,
    Column("rev", BigInteger, ForeignKey(revisions.c.rev), primary_key=True),
    Column("layer", Text, primary_key=True),
    Column("added", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column(
        "cells",
        Boolean,
        nullable=False,
        server_default="false",
        comment="whether whoever sees the layer generalised sees something else since then",
    ),
    Index(None, "layer", "rev"),
    comment="What a revision did to each layer; coverage changes count as a touch with zero rows",
)

coverage = Table(
    "coverage",
    CORE,
    Column("coverage_id", BigInteger, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("source_id", Integer, ForeignKey(sources.c.source_id), nullable=False),
    Column("geom", Geometry(geometry_type=None, srid=-1, spatial_index=False), nullable=False),
    Column("rev_from", BigInteger, nullable=False),
    Column("rev_to", BigInteger),
    Index(None, "layer", "rev_to"),
    comment="Where a source's data of a layer are complete (storage CRS); outside it nothing is known",
)

import_runs = Table(
    "import_runs",
    CORE,
    Column("run_id", BigInteger, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("source_id", Integer, ForeignKey(sources.c.source_id), nullable=False),
    Column("file", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("total", BigInteger, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("rev", BigInteger, ForeignKey(revisions.c.rev), comment="null when nothing changed"),
    Column("repaired", BigInteger, nullable=False, server_default="0", comment="rows taken with a repair"),
    Column("warned", BigInteger, nullable=False, server_default="0", comment="rows taken with a warning"),
    Column("rows_claimed", BigInteger, comment="rows that the file's own header states"),
    Column("who", Text, nullable=False, server_default=""),
    Column("started", DateTime(timezone=True)),
    Column("finished", DateTime(timezone=True)),
    Column("format", Text),
    Column("member", Text, comment="layer, sheet or inner file that was read"),
    Column("encoding", Text),
    Column("declared_crs", Text, comment="what the file says; null: nothing"),
    Column("used_crs", Text, comment="what its coordinates were taken as"),
    Column("operation", Text, comment="the way to the storage CRS"),
    Column("sha256", Text, comment="of the file"),
    Column("size", BigInteger, comment="of the file in bytes"),
    Column("options", JSONB, comment="how the file was to be read, column of each field too"),
    Column("proposal", JSONB, comment="what was found out about its coordinates"),
    Column(
        "fingerprint",
        Text,
        comment="hash of file, options, definition and program; the same again changes nothing",
    ),
    Column("seen", BigInteger, comment="last revision of the layer when it was done"),
    Index(None, "layer", "source_id"),
    comment="Each file that was imported; good + bad = total",
)

field_maps = Table(
    "field_maps",
    CORE,
    Column("source_id", Integer, ForeignKey(sources.c.source_id), primary_key=True),
    Column("layer", Text, primary_key=True),
    Column("mapping", JSONB, nullable=False, comment="column, unit and codes of each field"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("who", Text, nullable=False, server_default=""),
    comment="Which column of a source's files holds which field of a layer",
)

rejects = Table(
    "rejects",
    CORE,
    Column("reject_id", BigInteger, Identity(), primary_key=True),
    Column("run_id", BigInteger, ForeignKey(import_runs.c.run_id), nullable=False, index=True),
    Column("row_no", BigInteger, nullable=False, comment="1 is the first data row of the file"),
    Column("field", Text),
    Column("value", Text),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("row", JSONB, comment="the row as it was read"),
    Column(
        "owner",
        Text,
        nullable=False,
        server_default="supplier",
        comment="who mends it: supplier, importer, platform",
    ),
    Column(
        "original", Text, comment="what stood there before a repair: text, or a geometry as hexadecimal WKB"
    ),
    Column(
        "resolved_by",
        BigInteger,
        ForeignKey(import_runs.c.run_id),
        comment="the run that took the row when it was mended; null: open",
    ),
    comment="Rows that were refused, or stored with a warning, with the reason",
)

harvests = Table(
    "harvests",
    CORE,
    Column("harvest_id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("layer", Text, nullable=False),
    Column("source_id", Integer, ForeignKey(sources.c.source_id), nullable=False),
    Column("kind", Text, nullable=False, comment="oapif, wfs, arcgis, postgis, http"),
    Column("url", Text, nullable=False, comment="without user name and password"),
    Column("options", JSONB, nullable=False, comment="how to ask and how to read; secrets by variable name"),
    Column("every", Text, comment="ISO 8601 duration; null: only when asked"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("mark", JSONB, comment="how far the source has been taken: its tag, or the newest change seen"),
    Column("full_at", DateTime(timezone=True), comment="when the source was last taken as a whole"),
    Column("next_at", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False, server_default="0", comment="failed runs in a row"),
    comment="Sources that are asked again by the clock",
)

harvest_runs = Table(
    "harvest_runs",
    CORE,
    Column("harvest_run_id", BigInteger, Identity(), primary_key=True),
    Column(
        "harvest_id",
        Integer,
        ForeignKey(harvests.c.harvest_id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("started", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("finished", DateTime(timezone=True)),
    Column("state", Text, nullable=False, comment="running, changed, unchanged, failed"),
    Column("whole", Boolean, nullable=False, comment="the source as a whole, not only what is new"),
    Column("fetched", BigInteger, comment="rows that the source sent"),
    Column("run_id", BigInteger, ForeignKey(import_runs.c.run_id)),
    Column("rev", BigInteger, comment="the revision written; null: nothing changed"),
    Column("error", JSONB, comment="code, and what went wrong and what to do in both languages"),
    comment="Each time a source was asked, and what came of it",
)

judgings = Table(
    "judgings",
    CORE,
    Column("judging_id", BigInteger, Identity(), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("layer", Text, nullable=False),
    Column("judged_rev", BigInteger, nullable=False, comment="the data revision that was judged"),
    Column(
        "rev", BigInteger, ForeignKey(revisions.c.rev), comment="the revision written; null: nothing changed"
    ),
    Column("rules_hash", Text, nullable=False),
    Column("law_date", Date, nullable=False),
    Column("basis", JSONB, comment="rules and settings it was judged by; null: judge everything anew"),
    Column("rejudged", BigInteger, comment="how many subjects were judged; null: all"),
    comment="Each refresh of the conflicts: up to which revision everything has been judged",
)

uncovered = Table(
    "uncovered",
    CORE,
    Column("layer", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("rules", Text, nullable=False, comment="separated by spaces, in order"),
    comment="Rules that are open for a subject although it meets no zone: now, at the last judging",
)

rule_texts = Table(
    "rule_texts",
    CORE,
    Column("text_id", BigInteger, Identity(), primary_key=True),
    Column("rules", Text, nullable=False, comment="ids as rows of the conflicts list them"),
    Column("title", Text),
    Column("article", Text),
    Column("article_en", Text),
    Column("rule_hash", Text, nullable=False),
    Column("next_date", Date, comment="the next day on which a legal text behind the rules begins or ends"),
    Column("rev_from", BigInteger, nullable=False),
    Column("rev_to", BigInteger),
    Index("uq_rule_texts_current", "rules", unique=True, postgresql_where=text("rev_to IS NULL")),
    Index(None, "rules", "rev_from"),
    comment="What rules say and rest on, for all conflicts that list them: from revision to revision",
)

conflict_marks = Table(
    "conflict_marks",
    CORE,
    Column("mark_id", BigInteger, Identity(), primary_key=True),
    Column("uid", Text, nullable=False, comment="of the conflict"),
    Column("mark", Text, nullable=False, comment="challenged, accepted, or withdrawn"),
    Column("why", Text, nullable=False),
    Column("until", Date, comment="the last day it holds; null: as long as the conflict stands"),
    Column("who", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("opened_rev", BigInteger, nullable=False, comment="the revision that opened the conflict"),
    CheckConstraint("mark IN ('challenged', 'accepted', 'withdrawn')", name="mark"),
    Index(None, "uid", "mark_id"),
    comment="What people said of single conflicts; only ever added to, the newest of a conflict counts",
)

links = Table(
    "links",
    CORE,
    Column("link_id", BigInteger, Identity(), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("uid_a", Text, nullable=False, comment="the smaller of the two"),
    Column("uid_b", Text, nullable=False),
    Column("same", Boolean, nullable=False, comment="false: they only look alike"),
    Column("evidence", JSONB, nullable=False, comment="what spoke for it when it was decided"),
    Column("who", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("undone_by", Text),
    Column("undone_at", DateTime(timezone=True)),
    Index(
        "uq_links_standing",
        "layer",
        "uid_a",
        "uid_b",
        unique=True,
        postgresql_where=text("undone_at IS NULL"),
    ),
    comment="What people decided about two rows of different sources; nothing is deleted, only undone",
)

reports = Table(
    "reports",
    CORE,
    Column("report_id", Text, primary_key=True, comment="SHA-256 of the record, hexadecimal"),
    Column("record", BYTEA, nullable=False, comment="canonical JSON"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("expires", DateTime(timezone=True), nullable=False),
    Column("who", Text, nullable=False),
    Column(
        "rests_on",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="layers, and layer.field, whose content it shows",
    ),
    Column("areas", ARRAY(Text), comment="of the scope it was made for; null: the whole district"),
    comment="Answers that were kept, as they were given; rows are only ever added",
)

report_faces = Table(
    "report_faces",
    CORE,
    Column("report_id", Text, ForeignKey(reports.c.report_id), primary_key=True),
    Column("face", Text, primary_key=True, comment="html, pdf, docx, xlsx, gpkg"),
    Column("lang", Text, primary_key=True),
    Column("body", BYTEA, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("engine", Text, nullable=False, comment="the version that rendered it"),
    comment="Pages and files of reports, as they were first rendered; rows are only ever added",
)
