"""Outlines for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

__all__ = ["star"]


def star(rng: np.random.Generator, lon: float, lat: float, radius: float, vertices: int) -> Any:
    """A valid, rough outline of about ``radius`` degrees around a place."""
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    waves = np.arange(2, 24)
    rough = (np.cos(np.outer(angles, waves) + rng.uniform(0, 6.28, len(waves))) * 0.25 / waves).sum(axis=1)
    reach = radius * np.exp(np.clip(rough, -0.6, 0.6))
    return shapely.Polygon(np.column_stack([lon + np.cos(angles) * reach, lat + np.sin(angles) * reach]))
