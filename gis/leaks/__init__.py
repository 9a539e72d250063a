"""Does every channel show a scope what it may see, and nothing else? See `compare`."""

from gis.leaks.compare import Compared, compare

__all__ = ["Compared", "compare"]
