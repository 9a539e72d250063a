"""Named points of an import at which the tests let the process die, as a power cut would."""

from __future__ import annotations

import os
import signal

__all__ = ["FAILPOINTS", "reach"]

FAILPOINTS = (
    "after_read",
    "after_placing",
    "mid_staging",
    "after_staging",
    "after_diff",
    "after_number",
    "after_rows",
    "before_commit",
    "after_commit",
    "before_report",
)


def reach(name: str) -> None:
    """Die here by SIGKILL when ONEMAP_FAILPOINT asks for it; else do nothing."""
    if os.environ.get("ONEMAP_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
