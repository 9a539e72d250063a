"""Leave the network, then become the warm parent; run as a script, before any library can start a thread.

The kernel lets a process that is not root leave only as long as it has one thread, and pyarrow starts another
when it is imported. What is left stays left across exec. Nothing but the standard library here, therefore.

Source: Linux man-pages unshare(2).
"""

import ctypes
import os
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000


def leave_network() -> bool:
    """Move this process into an empty network of its own; False where the kernel refuses."""
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None)
    if os.geteuid() == 0 and kernel.unshare(_CLONE_NEWNET) == 0:
        return True
    return bool(kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


if __name__ == "__main__":
    left = "left" if leave_network() else "stayed"
    os.execv(sys.executable, [sys.executable, "-P", "-m", "gis.importing.reading.warm", sys.argv[1], left])
