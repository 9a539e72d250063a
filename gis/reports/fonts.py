"""Which letters a print can have: what fontconfig, that Pango asks too, knows of this machine's fonts."""

from __future__ import annotations

import ctypes
from functools import cache

__all__ = ["has_chinese_font"]

_NAMES = ("libfontconfig.so.1", "libfontconfig.1.dylib", "fontconfig-1.dll", "libfontconfig-1.dll")


class _FontSet(ctypes.Structure):
    """Fontconfig's FcFontSet, of which only the number of fonts is read."""

    _fields_ = (("nfont", ctypes.c_int), ("sfont", ctypes.c_int), ("fonts", ctypes.c_void_p))


@cache
def has_chinese_font() -> bool:
    """Whether some font of this machine covers simplified Chinese; False without fontconfig."""
    library = _library()
    if library is None:
        return False
    library.FcNameParse.restype = library.FcObjectSetBuild.restype = ctypes.c_void_p
    library.FcFontList.restype = ctypes.POINTER(_FontSet)
    library.FcFontList.argtypes = [ctypes.c_void_p] * 3
    wanted = library.FcNameParse(b":lang=zh-cn")
    found = library.FcFontList(None, wanted, library.FcObjectSetBuild(b"family", None))
    return bool(found) and found.contents.nfont > 0


def _library() -> ctypes.CDLL | None:
    for name in _NAMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
