"""Screening: what the rules say of a place. Facts come from `gis.kernel`, rules from `layers.rulepacks`."""
