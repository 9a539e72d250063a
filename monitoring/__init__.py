"""The alarm loop: readings, limits, alerts, dispatch, cases. Nothing is here yet."""
