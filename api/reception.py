"""Files of a multipart request, written to disk as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.errors import Unsupported
from gis.errors import QueryError
from gis.importing.issues import refused
from gis.uploads.names import tidy

__all__ = ["receive"]

_MOST_PARTS = 24
_AT_ONCE = 2**20


async def receive(request: Request, folder: Path) -> list[dict[str, Any]]:
    """Write every file of ``request`` into ``folder`` under its tidied name; tell their names and bytes.

    The size is bounded by `api.guards.BodyGuard`. Nothing is kept in memory but a piece of some 1 MB; parts
    that are no files are passed over.

    Raises
    ------
    Unsupported
        When the body is not multipart/form-data.
    QueryError
        When it cannot be parsed, or holds more than 24 parts or two files of one name.
    ImportRefused
        "upload_empty" when it holds no file.
    TooLarge
        From the guard, as soon as the body passes the limit.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Unsupported("Files are taken as multipart/form-data.", "文件须以 multipart/form-data 提交。")
    parts = _Parts(folder)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
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
    finally:
        parts.close()
    if not parts.files:
        raise refused("upload_empty")
    return parts.files


class _Parts:
    """The parts of one body, as the parser comes upon them; ``files`` are those that were written."""

    def __init__(self, folder: Path) -> None:
        self.files: list[dict[str, Any]] = []
        self._folder = folder
        self._count = 0
        self._header = (bytearray(), bytearray())
        self._name = ""
        self._open: BinaryIO | None = None

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def close(self) -> None:
        """Let go of a file that was not finished."""
        if self._open is not None:
            self._open.close()

    def _begin(self) -> None:
        self._count += 1
        self._name = ""
        if self._count > _MOST_PARTS:
            raise QueryError(
                f"More than {_MOST_PARTS} files at once.", f"一次不能超过 {_MOST_PARTS} 个文件。"
            )

    def _header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._header = (bytearray(), bytearray())
        if name.lower() == b"content-disposition":
            given = parse_options_header(value)[1].get(b"filename")
            self._name = "" if given is None else tidy(_decoded(given))

    def _headers_finished(self) -> None:
        if not self._name:
            return
        try:
            self._open = (self._folder / self._name).open("xb")
        except FileExistsError as error:
            raise QueryError(
                f"Two files are called {self._name}.", f"有两个文件同名：{self._name}。"
            ) from error

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._open is not None:
            self._open.write(data[start:end])

    def _end(self) -> None:
        if self._open is not None:
            self.files.append({"name": self._name, "bytes": self._open.tell()})
            self._open.close()
            self._open = None


def _decoded(name: bytes) -> str:
    """A file name as browsers (UTF-8) and older Chinese programs (GB 18030) send it."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("latin-1")
