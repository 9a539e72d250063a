"""The folders of uploads, and the state of each, which outlives the process that serves them.

An upload is the folder <home>/uploads/<id>; in it

* state.json: what stage it is at
* files/: the files as they came, under tidied names
* spool/: the rows as they were read
* facts.json, proposal-<layer>.json, plan.json, check.json, ...: what each step found; each written whole
* lock: held by whoever works on it; the system frees it when a process dies
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from gis.errors import NotFound, UploadBusy, UploadsFull, WrongState

__all__ = ["State", "Upload", "Uploads"]

State = Literal[
    "receiving", "reading", "ready", "checking", "planned", "committing", "done", "refused", "failed"
]

# States in which a thread or a job is at work, unless it died.
_WORKED_ON = ("reading", "checking", "committing")
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_HOUR = 3600.0


@dataclass(frozen=True)
class Upload:
    """One upload. ``folder`` is its own; what it holds is read from disk each time, never remembered."""

    folder: Path

    @property
    def id(self) -> str:
        """The name that only its owner knows."""
        return self.folder.name

    @property
    def files(self) -> Path:
        """Where the files lie as they came."""
        return self.folder / "files"

    @property
    def spool(self) -> Path:
        """Where the rows lie as they were read."""
        return self.folder / "spool"

    def read(self, name: str) -> Any:
        """What a step wrote as ``name``; None when it did not (yet)."""
        try:
            return orjson.loads((self.folder / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: Any) -> None:
        """Keep ``content`` as ``name``: wholly or not at all, whoever reads meanwhile."""
        fresh = self.folder / f".{name}-{threading.get_ident()}"
        fresh.write_bytes(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))
        fresh.replace(self.folder / f"{name}.json")

    def forget(self, *names: str) -> None:
        """Remove what steps wrote as ``names``."""
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    @property
    def state(self) -> dict[str, Any]:
        """The stage and what belongs to it. Raises NotFound when the upload was removed meanwhile."""
        found = self.read("state")
        if found is None:
            raise _unknown()
        return dict(found)

    def move(self, state: State, **changes: Any) -> None:
        """Go to ``state``; ``changes`` join what is noted there (None removes a note)."""
        held = (self.read("state") or {}) | changes | {"state": state}
        self.write("state", {key: value for key, value in held.items() if value is not None})

    def note(self, **changes: Any) -> None:
        """Note ``changes`` without leaving the state."""
        self.move(self.state["state"], **changes)

    def expect(self, *states: State) -> None:
        """Check that it is at one of ``states``. Raises WrongState."""
        now = self.state["state"]
        if now not in states:
            raise WrongState(
                f"This import is {now}; that step needs it to be {' or '.join(states)}.",
                f"该导入当前状态为 {now}，此操作要求状态为 {'、'.join(states)}。",
                remedy_en="Look at GET /imports/{id} and take the step that follows.",
                remedy_zh="请先查看 GET /imports/{id}，再执行下一步。",
            )

    def claim(self, *, wait: bool = False) -> int:
        """Take the lock; give it back with `release`.

        Raises UploadBusy when somebody works under it, unless it shall ``wait``. Who has noted the end of the
        work holds the lock a moment longer; that moment is waited for.
        """
        wait = wait or (self.read("state") or {}).get("state") not in _WORKED_ON
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            raise UploadBusy(
                "This import is being worked on.",
                "该导入正在处理中。",
                remedy_en="Wait until its state changes.",
                remedy_zh="请等待其状态变化。",
            ) from None
        return handle

    @staticmethod
    def release(handle: int) -> None:
        """Give the lock back."""
        os.close(handle)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the lock for a while. Raises UploadBusy."""
        handle = self.claim()
        try:
            yield
        finally:
            self.release(handle)

    def is_worked_on(self) -> bool:
        """Whether somebody holds the lock."""
        try:
            self.release(self.claim())
        except UploadBusy:
            return True
        return False

    def clear(self, *, original: bool) -> None:
        """Remove the rows that were read, and with ``original`` the files as they came."""
        shutil.rmtree(self.spool, ignore_errors=True)
        if original:
            shutil.rmtree(self.files, ignore_errors=True)


@dataclass(frozen=True)
class Uploads:
    """All uploads under ``folder``; older ones than ``keep_h`` hours go, no more than ``most`` are open."""

    folder: Path
    keep_h: float = 24.0
    most: int = 40

    def create(self) -> Upload:
        """A new upload in state "receiving". Raises UploadsFull when too many are open."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()
        if sum(1 for _ in self.all()) >= self.most:
            raise UploadsFull(
                f"{self.most} imports are open already.",
                f"已有 {self.most} 个导入尚未结束。",
                remedy_en="Finish or remove one (DELETE /imports/{id}); each goes by itself after a day.",
                remedy_zh="请先完成或删除其中之一（DELETE /imports/{id}）；一天后也会自动清除。",
            )
        upload = Upload(self.folder / secrets.token_urlsafe(16))
        upload.folder.mkdir(mode=0o700)
        upload.files.mkdir()
        upload.move("receiving", created=time.time())
        return upload

    def find(self, name: str) -> Upload:
        """The upload called ``name``. Raises NotFound."""
        upload = Upload(self.folder / name)
        if not _ID.fullmatch(name) or not (upload.folder / "state.json").is_file():
            raise _unknown()
        return upload

    def all(self) -> Iterator[Upload]:
        """Every upload, in no order."""
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                if _ID.fullmatch(entry.name):
                    yield Upload(Path(entry.path))

    def remove(self, upload: Upload) -> None:
        """Remove it with all its files. Raises UploadBusy while it is worked on."""
        with upload.working():
            (upload.folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove uploads that are too old and that nobody works on."""
        for upload in list(self.all()):
            with suppress(UploadBusy, OSError):
                if time.time() - upload.folder.stat().st_mtime > self.keep_h * _HOUR:
                    self.remove(upload)


def _unknown() -> NotFound:
    return NotFound(
        "There is no such import.",
        "没有这个导入。",
        remedy_en="It was removed, or a day has passed; upload the file again.",
        remedy_zh="它已被删除或已超过一天；请重新上传文件。",
    )
