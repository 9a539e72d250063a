"""Columns of a file to fields of a layer: proposed, decided, and values brought into the layer's terms."""

from gis.importing.mapping.plan import FieldPlan, plan

__all__ = ["FieldPlan", "plan"]
