"""Array types of the kernel and the checks every input passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.errors import KernelInputError

__all__ = ["TOUCH_M", "Flags", "Floats", "Geometries", "Indices", "accuracies", "coordinates", "geometries"]

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOUCH_M = 1e-6
"""Metres. Two boundaries this close touch: plane coordinates of a country carry about 5e-10 m each."""


def geometries(
    values: Sequence[Any] | Geometries | Any, name: str = "geoms", *, check: bool = True
) -> Geometries:
    """A flat object array of valid two-dimensional geometries in metres of one plane.

    Parameters
    ----------
    values : one shapely geometry or a sequence of them
        Any kind, mixed kinds allowed; Z and M are dropped. Empty geometries stay and meet nothing.
    name : str
        How error texts call the array.
    check : bool
        False skips the validity test for input that was tested before.

    Raises
    ------
    KernelInputError
        For a missing (None) or foreign entry and, with ``check``, for an invalid geometry; names index and
        reason.
    """
    if isinstance(values, shapely.Geometry):
        values = [values]
    array = np.asarray(values, dtype=object).reshape(-1)
    _refuse_first(array, ~shapely.is_geometry(array), name, "is not a geometry", "不是几何对象")
    if check:
        _refuse_invalid(array, name)
    flat = array
    if shapely.has_z(array).any() or shapely.has_m(array).any():
        flat = np.asarray(shapely.force_2d(array), dtype=object)
    return flat


def _refuse_invalid(array: Geometries, name: str) -> None:
    bad = np.flatnonzero(~shapely.is_valid(array))
    if len(bad):
        reason = shapely.is_valid_reason(array[bad[0]])
        _refuse_first(array, ~shapely.is_valid(array), name, f"is invalid: {reason}", f"无效:{reason}")


def _refuse_first(array: Geometries, wrong: Flags, name: str, en: str, zh: str) -> None:
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        raise KernelInputError(
            f"{name}[{index}] {en}.",
            f"{name}[{index}] {zh}。",
            remedy_en="Repair or leave out the geometry before it is measured.",
            remedy_zh="请先修复或剔除该几何再进行量算。",
        )


def coordinates(xy: ArrayLike, name: str = "xy") -> Floats:
    """Point coordinates as float64[n, 2], easting and northing in metres.

    Raises
    ------
    KernelInputError
        When the shape is not (n, 2) or a coordinate is not finite.
    """
    array = np.asarray(xy, dtype=np.float64)
    if array.size == 0:
        return array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise KernelInputError(
            f"{name} has shape {array.shape}, wanted (n, 2).", f"{name} 的形状为 {array.shape},应为 (n, 2)。"
        )
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise KernelInputError(f"{name}[{bad[0]}] is not finite.", f"{name}[{bad[0]}] 不是有限数。")
    return array


def accuracies(accuracy_m: ArrayLike | None, count: int, name: str = "accuracy_m") -> Floats:
    """Bounds of position error in metres as float64[count]; NaN and None mean unknown.

    One number serves all. Raises KernelInputError for a negative bound or another length.
    """
    source = np.nan if accuracy_m is None else accuracy_m
    array = np.asarray(source, dtype=np.float64)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != count):
        raise KernelInputError(
            f"{name} has shape {array.shape}, wanted ({count},).",
            f"{name} 的形状为 {array.shape},应为 ({count},)。",
        )
    array = np.broadcast_to(array, (count,)).copy()
    bad = np.flatnonzero((array < 0) | np.isinf(array))
    if len(bad):
        raise KernelInputError(
            f"{name}[{bad[0]}] is {array[bad[0]]}: a bound is finite and not negative.",
            f"{name}[{bad[0]}] 为 {array[bad[0]]}:误差界应为有限非负数。",
        )
    return array
