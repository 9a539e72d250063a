"""The private PostGIS: a PostgreSQL server that onemap makes, starts and stops by itself.

One home folder holds one server. It listens on a unix socket only, never runs as root, and trusts
exactly the operating system accounts that own it (peer authentication), so there is no password to lose.

    binaries    which PostgreSQL with PostGIS is installed here?
    account     who runs the server, and can that account reach the folder?
    layout      where do data, log and socket lie inside a home?
    tuning      which server settings fit this machine?
    postmaster  does the server of this data folder live?
    locks       one starter at a time; who still uses the server?
    server      Cluster: ensure_running, stop, status
"""

from __future__ import annotations

from gis.cluster.binaries import Binaries, find_binaries
from gis.cluster.server import Cluster, Status

__all__ = ["Binaries", "Cluster", "Status", "find_binaries"]
