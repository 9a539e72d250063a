"""One item created, replaced, updated or deleted: each change a revision of the store, as an import is."""

from gis.editing.documents import Document, as_document, merged, read_document
from gis.editing.errors import ItemExists, ReadOnly, RowRefused, StaleItem
from gis.editing.findings import Finding
from gis.editing.held import hold, may_edit, stored_version, version_of
from gis.editing.rows import READ_ONLY
from gis.editing.write import EDITS, Edited, create, delete, replace, update

__all__ = [
    "EDITS",
    "READ_ONLY",
    "Document",
    "Edited",
    "Finding",
    "ItemExists",
    "ReadOnly",
    "RowRefused",
    "StaleItem",
    "as_document",
    "create",
    "delete",
    "hold",
    "may_edit",
    "merged",
    "read_document",
    "replace",
    "stored_version",
    "update",
    "version_of",
]
