"""Signing in and out on the page, and who one is."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.auditing import origin_of
from api.deps import StateDep, as_json, strict_parameters
from api.errors import Unsupported
from api.identity import Action, accounts_exist, caller_of, needs
from api.writing import is_json, own_page
from gis.accounts.actions import MAY, ROLE_TITLES
from gis.accounts.audit import Event, record
from gis.accounts.caller import NOBODY, Caller
from gis.accounts.passwords import LONGEST
from gis.accounts.sessions import close_session, find_session
from gis.accounts.signin import SignIn, sign_in
from gis.db import connect
from gis.errors import DatabaseBusy, QueryError

router = APIRouter(
    prefix="/session",
    tags=["Session"],
    dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)],
)

_NO_STORE = {"Cache-Control": "no-store"}
_FORM = "application/x-www-form-urlencoded"
# Each takes 64 MiB and some 0.1 s of all cores: a few at once, a few more that wait, and no more.
_HASHING = CapacityLimiter(2)
_QUEUE = 16


class Login(BaseModel):
    """Name and password of an account."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    password: Annotated[str, Field(min_length=1, max_length=LONGEST)]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": Login.model_json_schema()} for kind in ("application/json", _FORM)},
    }
}


@router.get("", summary="Who one is")
def get_session(request: Request) -> Response:
    """Name, role, areas and what they allow; ``csrf`` goes into the header X-CSRF-Token of changes."""
    return as_json(_told(request, caller_of(request)), headers=_NO_STORE)


@router.post("", summary="Sign in", dependencies=[Depends(own_page)], openapi_extra=_BODY)
async def post_session(request: Request, state: StateDep) -> Response:
    """Sets the session's cookie. A session that was there before ends; its token is never used again."""
    given = await _given(request)
    wanted = SignIn(given.name, given.password, request.cookies.get(request.app.state.cookie))
    held = request.app.state  # the store's own engine: no scope reads accounts
    work = partial(
        sign_in, held.onemap.engine, held.passwords, held.lifetime, origin_of(request, NOBODY), wanted
    )
    if _HASHING.statistics().tasks_waiting >= _QUEUE:
        raise _busy()
    token = await to_thread.run_sync(work, limiter=_HASHING)
    caller = await to_thread.run_sync(find_session, held.onemap.engine, token, held.lifetime)
    answer = as_json(await to_thread.run_sync(_told, request, caller), headers=_NO_STORE)
    seconds = int(held.lifetime.whole.total_seconds())
    answer.set_cookie(
        held.cookie, token, max_age=seconds, httponly=True, samesite="lax", secure=_is_secure(request, state)
    )
    return answer


@router.delete("", status_code=204, summary="Sign out", dependencies=[Depends(own_page)])
def delete_session(request: Request, state: StateDep) -> Response:
    """Ends the session and takes its cookie away; nothing happens where there is none."""
    cookie = request.app.state.cookie
    token = request.cookies.get(cookie)
    caller = caller_of(request)
    if token and caller.via == "session":
        with connect(request.app.state.onemap.engine, write=True) as conn:
            close_session(conn, token)
            name = caller.scope.account or ""
            record(conn, origin_of(request, caller), [Event("session.close", name)])
    answer = Response(status_code=204, headers=_NO_STORE)
    answer.delete_cookie(cookie, httponly=True, samesite="lax", secure=_is_secure(request, state))
    return answer


async def _given(request: Request) -> Login:
    """Name and password from JSON or a form; their values are repeated nowhere."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    try:
        if is_json(request):
            return Login.model_validate_json(body)
        if kind == _FORM:
            pairs = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
            return Login.model_validate({name: values[-1] for name, values in pairs.items()})
    except (ValidationError, ValueError):
        raise QueryError(
            "The body is not {name, password}.",
            "请求体不是 {name, password}。",
            remedy_en=f"Both are texts of 1 to {LONGEST} characters.",
            remedy_zh=f"两者均为 1 至 {LONGEST} 个字符的文本。",
        ) from None
    raise Unsupported(f"The body is JSON or {_FORM}.", f"请求体须为 JSON 或 {_FORM}。")


def _told(request: Request, caller: Caller) -> dict[str, Any]:
    """What the page shows of ``caller``; without one whether there is anybody to sign in as."""
    scope = caller.scope
    zh, en = ROLE_TITLES[scope.role]
    told = {
        "signed_in": caller.is_known,
        "role": scope.role,
        "role_title": {"zh": zh, "en": en},
        "actions": sorted(MAY[scope.role]),
    }
    if not caller.is_known:
        return told | {"accounts": accounts_exist(request)}
    return told | {
        "accounts": True,
        "name": scope.account,
        "display_name": caller.display_name,
        "areas": scope.areas,
        "department": scope.department,
        "via": caller.via,
        "csrf": caller.csrf,
        "expires": caller.expires,
    }


def _is_secure(request: Request, state: StateDep) -> bool:
    """Whether the cookie may travel over https only: it does where the page came so."""
    public = urlsplit(state.settings.public_url or "")
    here = request.url.hostname == public.hostname and public.scheme == "https"
    return request.url.scheme == "https" or here


def _busy() -> DatabaseBusy:
    return DatabaseBusy(
        "Too many people sign in at this moment.",
        "当前登录人数过多。",
        remedy_en="Try again.",
        remedy_zh="请稍后重试。",
    )
