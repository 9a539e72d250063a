"""Taking files in: read, check, compare with what is there, write as one revision."""

from gis.importing.load import ImportOptions, ImportResult, SourceInfo, import_file

__all__ = ["ImportOptions", "ImportResult", "SourceInfo", "import_file"]
