"""A worker process for tests of webhooks: tells subscribers on loopback until it is told to end."""

from __future__ import annotations

import signal
import sys

from sqlalchemy import create_engine

from gis.jobs.worker import Worker
from gis.settings import MapDefinition, Settings
from gis.tasks import TASKS
from layers.district import load_district
from layers.registry import load_layers
from tests.gis.conftest import OUTSIDE

if __name__ == "__main__":
    layers = load_layers([OUTSIDE])
    definition = MapDefinition(load_district(), {name: layers[name] for name in ("wells", "pads")}, {})
    settings = Settings(webhook_hosts=("127.0.0.0/8",))
    tasks = {"webhooks.deliver": TASKS["webhooks.deliver"]}
    worker = Worker(settings, definition, create_engine(sys.argv[1]), tasks,
                    heartbeat_s=0.2, stalled_after_s=1.2, patience_s=0.3)  # fmt: skip
    worker.start()
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.join()
