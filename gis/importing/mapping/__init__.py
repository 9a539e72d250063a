"""Columns of a file to fields of a layer: proposed, decided, and values brought into the layer's terms."""

from gis.importing.mapping.plan import FieldPlan, plan
from gis.importing.mapping.propose import FieldProposal, propose
from gis.importing.mapping.saved import load_saved, save

__all__ = ["FieldPlan", "FieldProposal", "load_saved", "plan", "propose", "save"]
