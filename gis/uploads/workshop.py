"""Who does the work on uploads: a few threads, which leave what they found on disk, step by step.

    receiving -> reading -> ready -> checking -> planned -> committing -> done
                    |        ^          |            |           |
                 refused     +---- with what was wrong in "problem"

A thread that dies with its process leaves the lock free in a state that says it is worked on; `mend` sees
that and goes on: reading is begun again, a check or a commit goes back to the step before. A commit is one
transaction and a repeated one changes nothing, so going back is always right.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from gis.errors import NotFound, OneMapError, UploadBusy
from gis.importing.options import Progress, no_progress
from gis.importing.reading import Limits
from gis.importing.reading.sandbox import warm_parent
from gis.jobs import WorkStopped, enqueue, has_worker, status
from gis.settings import MapDefinition
from gis.uploads import steps
from gis.uploads.names import dataset
from gis.uploads.plan import Plan
from gis.uploads.store import State, Upload, Uploads

__all__ = ["COMMIT", "Workshop"]

log = logging.getLogger("onemap")

COMMIT = "import.commit"

_PROGRESS_EVERY_S = 0.25
_BACK: dict[str, State] = {"checking": "ready", "committing": "planned"}


@dataclass(frozen=True)
class Workshop:
    """Works on ``uploads`` with at most two threads; a further upload waits for its turn."""

    uploads: Uploads
    engine: Engine
    definition: MapDefinition
    keep_originals: bool = False
    limits: Limits = field(default_factory=Limits)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="import"), compare=False
    )

    def prepare(self) -> None:
        """Start the process that readers are forked from, in the background: it takes seconds."""
        with suppress(RuntimeError):  # the service is ending
            self._threads.submit(warm_parent.ensure)

    def start_reading(self, upload: Upload) -> None:
        """Read the files that have arrived, in the background. Raises ImportRefused for no one dataset."""
        dataset(sorted(upload.files.iterdir()))
        self._read(upload, upload.claim())

    def start_check(self, upload: Upload, plan: Plan) -> None:
        """Find out what the import would do, in the background. Raises UploadBusy or WrongState."""

        def prepare() -> None:
            upload.expect("ready", "planned")
            upload.forget("plan", "check", "changes")
            upload.write("plan", plan.as_dict())
            upload.move("checking", problem=None, progress=None)

        def work() -> None:
            steps.check(upload, self.engine, self.definition, self._told(upload))

        self._begin(upload, self._prepared(upload, prepare), work, "planned", "ready")

    def start_commit(self, upload: Upload, who: str, *, close_many: bool = False) -> None:
        """Import, in the background; ``close_many`` as in `Plan`. Raises UploadBusy or WrongState."""

        def prepare() -> None:
            upload.expect("planned")
            upload.write("plan", upload.read("plan") | {"close_many": close_many})
            upload.move("committing", problem=None, progress=None, who=who, job=None)

        handle = self._prepared(upload, prepare)
        if not has_worker(self.engine):
            self._begin(upload, handle, lambda: self._commit(upload, no_progress), "done", "planned")
            return
        try:
            key = f"upload:{upload.id}"
            upload.note(job=enqueue(self.engine, COMMIT, {"upload": upload.id}, queue_key=key))
        finally:
            upload.release(handle)

    def commit_job(self, name: str, progress: Progress) -> dict[str, Any]:
        """The commit of upload ``name`` as a job of the queue; its result is that of the import.

        A job that is run again after its import was done finds it done.
        """
        upload = self.uploads.find(name)
        handle = upload.claim(wait=True)
        if upload.state["state"] == "committing":
            self._work(upload, handle, lambda: self._commit(upload, progress), "done", "planned")
        else:
            upload.release(handle)
        found: dict[str, Any] = upload.read("result") or {}
        return {key: found.get(key) for key in ("layer", "rev", "run", "total", "good", "bad")}

    def _commit(self, upload: Upload, progress: Progress) -> None:
        """Import as planned, and keep of the files only what the settings say."""
        told = self._told(upload)

        def tell(phase: str, done: int, total: int | None) -> None:
            told(phase, done, total)
            progress(phase, done, total)

        steps.commit(upload, self.engine, self.definition, tell)
        upload.clear(original=not self.keep_originals)

    def mend(self, upload: Upload) -> None:
        """Go on with, or step back from, work whose worker has died."""
        try:
            handle = upload.claim()
        except UploadBusy:
            return
        state = upload.state["state"]
        if state == "reading":
            self._read(upload, handle)
            return
        if state in _BACK and not self._is_queued(upload):
            upload.move(_BACK[state], problem=_problem(_interrupted()), progress=None)
        upload.release(handle)

    def _is_queued(self, upload: Upload) -> bool:
        """Whether the queue still has a job for it: the next worker takes it."""
        job = upload.state.get("job")
        if job is None:
            return False
        try:
            return not status(self.engine, job).ended
        except NotFound:
            return False

    def close(self) -> None:
        """Wait for what is under way; begin nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _read(self, upload: Upload, handle: int) -> None:
        upload.move("reading", problem=None)
        self._begin(
            upload,
            handle,
            lambda: steps.read(upload, self.engine, self.definition, self.limits),
            "ready",
            "refused",
        )

    @staticmethod
    def _prepared(upload: Upload, prepare: Callable[[], None]) -> int:
        """The lock, held, after ``prepare``; free again when that raises."""
        handle = upload.claim()
        try:
            prepare()
        except BaseException:
            upload.release(handle)
            raise
        return handle

    def _begin(
        self, upload: Upload, handle: int, work: Callable[[], None], then: State, otherwise: State
    ) -> None:
        """Hand work to a thread, and with it the lock: there is no moment when nobody holds it."""
        try:
            self._threads.submit(self._work, upload, handle, work, then, otherwise)
        except RuntimeError:  # the service is ending; whoever looks next mends it
            upload.release(handle)

    @staticmethod
    def _work(upload: Upload, handle: int, work: Callable[[], None], then: State, otherwise: State) -> None:
        """Do ``work`` and note how it ended; whatever happens, the state says so."""
        try:
            work()
            upload.move(then, progress=None)
        except WorkStopped:  # the queue gives the job to the next worker
            raise
        except OneMapError as error:
            upload.move(otherwise, problem=_problem(error), progress=None)
        except Exception as error:
            number = uuid.uuid4().hex[:12]
            log.exception("error %s in import %s", number, upload.id)
            upload.move("failed", problem=_unforeseen(number, error), progress=None)
        finally:
            upload.release(handle)

    @staticmethod
    def _told(upload: Upload) -> Callable[[str, int, int | None], None]:
        """A progress function that writes to disk a few times a second."""
        last = 0.0
        stage = ""

        def tell(phase: str, done: int, total: int | None) -> None:
            nonlocal last, stage
            now = time.monotonic()
            if phase != stage or now - last >= _PROGRESS_EVERY_S:
                last, stage = now, phase
                upload.note(progress={"phase": phase, "done": done, "total": total})

        return tell


def _interrupted() -> OneMapError:
    return OneMapError(
        "The service was restarted while it worked on this.",
        "处理过程中服务重新启动。",
        remedy_en="Take the step again; a repeated import changes nothing twice.",
        remedy_zh="请再执行一次；重复导入不会重复写入。",
    )


def _problem(error: OneMapError) -> dict[str, str]:
    return {
        "code": getattr(error, "reason", error.code),
        "detail_zh": error.zh,
        "detail_en": error.en,
        "remedy_zh": error.remedy_zh,
        "remedy_en": error.remedy_en,
    }


def _unforeseen(number: str, error: Exception) -> dict[str, str]:
    """What a user may know of a fault of ours: its number, never its trace."""
    full = isinstance(error, OSError) and error.errno == 28
    if full:
        told = OneMapError(
            "The disk of the service is full.",
            "服务所在磁盘已满。",
            remedy_en="Make room and try again.",
            remedy_zh="请清理磁盘后重试。",
        )
    else:
        told = OneMapError(
            f"Something went wrong here (number {number}).",
            f"服务内部出错（编号 {number}）。",
            remedy_en="Give the number to whoever runs the service.",
            remedy_zh="请将编号告知服务管理员。",
        )
    return _problem(told) | {"code": "disk_full" if full else "failed"}
