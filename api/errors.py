"""Every error as one JSON shape (RFC 9457, ``application/problem+json``), its status from one table.

    {type, title, status, detail, code, remedy, detail_zh, detail_en, remedy_zh, remedy_en, instance}

``title``, ``detail`` and ``remedy`` are in the language asked for. A body never holds SQL, a path or a trace.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from api.languages import language_of, preferred
from gis.editing.errors import ItemExists, ReadOnly, RowRefused, StaleItem
from gis.errors import (
    AccessError,
    AccountError,
    ClusterError,
    CredentialRefused,
    CrsError,
    DatabaseBusy,
    DatabaseError,
    EditError,
    ExportRefused,
    GeometryError,
    ImportRefused,
    IssuerUnreachable,
    KernelInputError,
    NotFound,
    OneMapError,
    PrintUnavailable,
    QueryError,
    RevertRefused,
    RevisionError,
    RoleMissing,
    ScreeningError,
    SettingsError,
    SyncRefused,
    TooManyGuesses,
    UploadBusy,
    UploadError,
    UploadsFull,
    WrongState,
)

__all__ = [
    "STATUS",
    "Forbidden",
    "KeyInUse",
    "KeyReused",
    "MisdirectedHost",
    "NoResults",
    "NoSuchJob",
    "NoSuchProcess",
    "Overloaded",
    "TooLarge",
    "TooManyRequests",
    "TooSlow",
    "Unsupported",
    "failure",
    "install",
    "problem",
    "refuse",
    "status_of",
]

log = logging.getLogger("onemap")


class TooLarge(OneMapError):
    """A request body beyond the limit."""

    code = "too_large"


class Unsupported(OneMapError):
    """A request body of a kind or an encoding that is not read here."""

    code = "unsupported_media_type"


class Forbidden(OneMapError):
    """Something that this request may not do."""

    code = "forbidden"


class MisdirectedHost(OneMapError):
    """A Host header that is not this service's."""

    code = "misdirected_host"


_OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


class NoSuchProcess(NotFound):
    """A process that is not there (18-062r2, /req/core/process-exception/no-such-process)."""

    uri = f"{_OGC}/no-such-process"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no process {name[:80]!r}.",
            f"没有处理过程“{name[:80]}”。",
            remedy_en="They are listed at /processes.",
            remedy_zh="可用的处理过程见 /processes。",
        )


class NoSuchJob(NotFound):
    """A job that is not there (/req/core/job-exception-no-such-job)."""

    uri = f"{_OGC}/no-such-job"

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no job {number}.", f"没有任务 {number}。")


class NoResults(NotFound):
    """Results of a job that has none: not yet, or never (/req/core/job-results-exception/...)."""

    def __init__(self, number: int, state: str) -> None:
        self.uri = f"{_OGC}/{'result-not-ready' if state in ('accepted', 'running') else 'no-results'}"
        super().__init__(
            f"Job {number} has no results: it is {state}.",
            f"任务 {number} 没有结果：状态为 {state}。",
            remedy_en=f"See /jobs/{number}.",
            remedy_zh=f"见 /jobs/{number}。",
        )


class KeyInUse(OneMapError):
    """A request under the same Idempotency-Key is still under way."""

    code = "idempotency_key_in_use"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The request with the Idempotency-Key {key!r} is still under way.",
            f"Idempotency-Key 为“{key}”的请求仍在处理中。",
            remedy_en="Ask again for its answer.",
            remedy_zh="请稍后再次请求以取得结果。",
        )


class KeyReused(OneMapError):
    """An Idempotency-Key that belongs to another request."""

    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was sent with another request.",
            f"Idempotency-Key“{key}”已用于另一请求。",
            remedy_en="Give each request a key of its own.",
            remedy_zh="请为每个请求使用不同的键。",
        )


class TooManyRequests(OneMapError):
    """More requests of one client than are allowed."""

    code = "too_many_requests"

    def __init__(self, quota: int, window_s: int) -> None:
        super().__init__(
            f"More than {quota} requests in {window_s} s.",
            f"{window_s} 秒内请求超过 {quota} 次。",
            remedy_en="Wait as Retry-After says.",
            remedy_zh="请按 Retry-After 等待后重试。",
        )


class Overloaded(OneMapError):
    """More requests at once than are worked on."""

    code = "overloaded"


class TooSlow(OneMapError):
    """A body that did not come in time."""

    code = "too_slow"


STATUS: Mapping[type[OneMapError], int] = {
    SettingsError: 500,
    ClusterError: 503,
    DatabaseError: 503,
    DatabaseBusy: 503,
    SyncRefused: 503,
    CrsError: 400,
    GeometryError: 422,
    KernelInputError: 422,
    ImportRefused: 422,
    ExportRefused: 422,
    PrintUnavailable: 501,
    EditError: 422,
    RowRefused: 422,
    ItemExists: 409,
    StaleItem: 412,
    ReadOnly: 405,
    RevisionError: 400,
    RevertRefused: 409,
    QueryError: 400,
    NotFound: 404,
    ScreeningError: 422,
    Forbidden: 403,
    AccountError: 422,
    AccessError: 403,
    CredentialRefused: 401,
    IssuerUnreachable: 503,
    RoleMissing: 403,
    TooManyGuesses: 429,
    UploadError: 409,
    UploadBusy: 409,
    UploadsFull: 409,
    WrongState: 409,
    TooLarge: 413,
    Unsupported: 415,
    MisdirectedHost: 421,
    KeyInUse: 409,
    KeyReused: 422,
    TooManyRequests: 429,
    Overloaded: 503,
    TooSlow: 408,
    OneMapError: 500,
}

_TITLES_ZH = {
    400: "请求有误",
    401: "需要登录",
    403: "不允许",
    404: "未找到",
    405: "不支持该方法",
    408: "请求超时",
    409: "冲突",
    412: "前提条件不满足",
    413: "请求体过大",
    415: "不支持的媒体类型",
    421: "主机名不属于本服务",
    422: "内容不可接受",
    429: "请求过于频繁",
    500: "内部错误",
    501: "本机不具备该功能",
    503: "暂不可用",
}
# Kinds of pydantic's findings that parameters can have, in Chinese; it has English words itself.
_FORMS_ZH = {
    "missing": "缺失",
    "int_parsing": "应为整数",
    "float_parsing": "应为数字",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
    "json_invalid": "不是有效的 JSON",
}
_RETRY_AFTER_S = "5"


def status_of(error: OneMapError) -> int:
    """The HTTP status of ``error``: that of its class, or of the nearest class above it in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: OneMapError, *, language: str, instance: str, status: int | None = None) -> Response:
    """``error`` as an answer in ``language`` ("zh" or "en"); ``instance`` names the occurrence."""
    status = status or status_of(error)
    chinese = language == "zh"
    code = f"credential_{error.reason}" if isinstance(error, CredentialRefused) else error.code
    body = {
        "type": getattr(error, "uri", f"urn:onemap:problem:{code}"),
        "title": _TITLES_ZH.get(status) if chinese else None,
        "status": status,
        "detail": error.zh if chinese else error.en,
        "code": code,
        "remedy": error.remedy_zh if chinese else error.remedy_en,
        "detail_zh": error.zh,
        "detail_en": error.en,
        "remedy_zh": error.remedy_zh,
        "remedy_en": error.remedy_en,
        "instance": instance,
    }
    if isinstance(error, RowRefused):
        body["findings"] = [each.as_json() for each in error.findings]
    body["title"] = body["title"] or HTTPStatus(status).phrase
    headers = {"Cache-Control": "no-store"} | _extra_headers(error, status)
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def _extra_headers(error: OneMapError, status: int) -> dict[str, str]:
    """What a client needs to go on: when to come again (RFC 9110, 10.2.3), or what to show (RFC 6750, 3)."""
    if isinstance(error, TooManyGuesses):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, CredentialRefused):
        shown = "" if error.reason in ("needed", "login") else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer realm="onemap"{shown}'}
    if isinstance(error, ReadOnly):
        return {"Allow": ", ".join(error.allow)}
    if isinstance(error, RoleMissing):
        return {"WWW-Authenticate": 'Bearer realm="onemap", error="insufficient_scope"'}
    return {"Retry-After": _RETRY_AFTER_S} if status == 503 or isinstance(error, KeyInUse) else {}


async def refuse(
    error: OneMapError, scope: Scope, receive: Receive, send: Send, *, retry_after_s: int | None = None
) -> None:
    """Answer with ``error`` before a route was found."""
    language = preferred(Headers(scope=scope).get("accept-language", ""))
    answer = problem(error, language=language, instance=str(scope["path"]))
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(retry_after_s)
    await answer(scope, receive, send)


def failure(request: Request, told: Mapping[str, str]) -> Response:
    """The error by which a job failed (`gis.jobs.error_words`), as if it had happened now."""
    plain = [kind for kind in STATUS if kind.__init__ is OneMapError.__init__]
    kind = next((kind for kind in plain if kind.code == told["code"]), OneMapError)
    error = kind(told["en"], told["zh"], remedy_en=told["remedy_en"], remedy_zh=told["remedy_zh"])
    return _answer(request, error)


def install(app: FastAPI) -> None:
    """Let every error that leaves a route of ``app`` become a problem."""
    app.add_exception_handler(OneMapError, _own)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _answer(request: Request, error: OneMapError, status: int | None = None) -> Response:
    return problem(error, language=language_of(request), instance=request.url.path, status=status)


async def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, OneMapError)
    if status_of(error) >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    return _answer(request, error)


async def _validation(request: Request, error: Exception) -> Response:
    """A parameter or body that is not of its declared form."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"][1:]) or str(first["loc"][0])
    form = _FORMS_ZH.get(first["type"], "取值无效").format(**first.get("ctx", {}))
    return _answer(request, QueryError(f"{place}: {first['msg']}.", f"{place} {form}。"), status=400)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    words = {
        404: ("There is nothing at this address.", "此地址没有内容。"),
        405: ("This address does not take this method.", "此地址不支持该方法。"),
        400: ("The request cannot be read.", "无法读取该请求。"),
    }
    en, zh = words.get(error.status_code, (str(error.detail), str(error.detail)))
    kind = NotFound if error.status_code == 404 else QueryError
    answer = _answer(request, kind(en, zh), status=error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _unforeseen(request: Request, error: Exception) -> Response:
    """The last resort: the trace goes to the log under a number, the number to the user."""
    number = uuid.uuid4().hex[:12]
    log.error("error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    told = OneMapError(
        f"Something went wrong here (number {number}).",
        f"服务内部出错（编号 {number}）。",
        remedy_en="Give the number to whoever runs the service.",
        remedy_zh="请将编号告知服务管理员。",
    )
    return problem(told, language=language_of(request), instance=f"urn:onemap:error:{number}")
