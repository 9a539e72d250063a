"""Files of a multipart request, written to disk as they come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.errors import Unsupported
from gis.errors import QueryError
from gis.importing.issues import refused
from gis.uploads.names import tidy

__all__ = ["receive"]

_MOST_FILES = 24
_AT_ONCE = 2**20


async def receive(request: Request, folder: Path) -> list[dict[str, Any]]:
    """Write every file of ``request`` into ``folder`` under its tidied name; tell their names and bytes.

    The size is bounded by `api.guards.BodyGuard`. Nothing is kept in memory but a piece of some 1 MB.

    Raises
    ------
    Unsupported
        When the body is not multipart/form-data.
    QueryError
        When it cannot be parsed, or holds more than 24 files or two of one name.
    ImportRefused
        "upload_empty" when it holds no file.
    TooLarge
        From the guard, as soon as the body passes the limit.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Unsupported("Files are taken as multipart/form-data.", "文件须以 multipart/form-data 提交。")
    received: list[dict[str, Any]] = []
    parser = _parser(boundary, folder, received)
    try:
        held = bytearray()
        async for piece in request.stream():
            held += piece
            if len(held) >= _AT_ONCE:
                await run_in_threadpool(parser.write, bytes(held))
                held.clear()
        await run_in_threadpool(parser.write, bytes(held))
        await run_in_threadpool(parser.finalize)
    except FormParserError as error:
        raise QueryError("The form cannot be read.", "无法读取提交的表单。") from error
    if not received:
        raise refused("upload_empty")
    return received


def _parser(boundary: bytes, folder: Path, received: list[dict[str, Any]]) -> FormParser:
    def arrived(file: File) -> None:
        name = tidy(_decoded(file.file_name or b""))
        target = folder / name
        if len(received) >= _MOST_FILES:
            raise QueryError(
                f"More than {_MOST_FILES} files at once.", f"一次不能超过 {_MOST_FILES} 个文件。"
            )
        if target.exists():
            raise QueryError(f"Two files are called {name}.", f"有两个文件同名：{name}。")
        written = file.actual_file_name
        if written is None:
            target.write_bytes(b"")
        else:
            file.close()
            Path(os.fsdecode(written)).replace(target)
        received.append({"name": name, "bytes": target.stat().st_size})

    config = {
        "UPLOAD_DIR": os.fspath(folder), "UPLOAD_DELETE_TMP": False, "MAX_MEMORY_FILE_SIZE": 0,
        "MAX_FIELDS": 16, "MAX_FIELD_SIZE": 4096,
    }  # fmt: skip
    return FormParser("multipart/form-data", lambda _field: None, arrived, boundary=boundary, config=config)


def _decoded(name: bytes) -> str:
    """A file name as browsers (UTF-8) and older Chinese programs (GB 18030) send it."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("latin-1")
