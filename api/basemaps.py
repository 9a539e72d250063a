"""Base maps from outside, which a map has only when they are configured."""

from __future__ import annotations

from typing import Any

from gis.settings import Settings

__all__ = ["basemap_hosts", "basemaps"]

_TIANDITU = "https://t0.tianditu.gov.cn"
_KINDS = (("vec", "天地图矢量", "Tianditu map"), ("img", "天地图影像", "Tianditu imagery"))


def basemaps(settings: Settings) -> list[dict[str, Any]]:
    """Base maps in the shape of /app/config; empty without a key, so that no foreign host is asked."""
    if settings.tianditu_key is None:
        return []
    return [
        {
            "id": f"tianditu-{kind}",
            "title": {"zh": zh, "en": en},
            "url": f"{_TIANDITU}/DataServer?T={kind}_w&x={{x}}&y={{y}}&l={{z}}&tk={settings.tianditu_key}",
            "attribution": {"zh": "天地图", "en": "Tianditu"},
            "max_zoom": 18,
        }
        for kind, zh, en in _KINDS
    ]


def basemap_hosts(settings: Settings) -> list[str]:
    """Origins that the page may load images from beside its own."""
    return [_TIANDITU] if settings.tianditu_key is not None else []
