"""Reports: an answer that is kept, shown in many forms, and proven later.

    keep_report      screen a site, store its record under the hash of its content     -> Report
    open_report      a stored report by its number                                     -> Report
    report_face      one face of it, as it was first rendered                          -> bytes
    current_state    whether it still holds, and what changed it                       -> dict
    current_page     the same as a page                                                -> str

A face is made from the record alone: neither the database nor a definition is asked.
"""

from gis.reports.current import current_state
from gis.reports.faces import FACES, JSON, Face
from gis.reports.pages import current_page
from gis.reports.store import Report, keep_report, open_report, public_address, report_face
from gis.reports.words import LANGUAGES

__all__ = [
    "FACES",
    "JSON",
    "LANGUAGES",
    "Face",
    "Report",
    "current_page",
    "current_state",
    "keep_report",
    "open_report",
    "public_address",
    "report_face",
]
