"""What can be done over HTTP, and the one table of which role may do it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gis.access import Role

__all__ = ["MAY", "ROLE_TITLES", "Action", "roles_that_may"]


class Action(StrEnum):
    """What a route is for; each route declares one."""

    READ = "read"
    """Look at layers, items, tiles, kept reports: whatever of them the scope may see."""
    SCREEN = "screen"
    """Ask for a judgement that nobody keeps."""
    REPORT = "report"
    """Keep an answer as a report."""
    MARK = "mark"
    """Challenge or accept a conflict."""
    IMPORT = "import"
    """Bring files into layers."""
    EDIT = "edit"
    """Change single rows."""
    ADMIN = "admin"
    """Accounts, keys, sources, undoing what others did."""
    OPERATE = "operate"
    """Start and follow background work."""


_LOOK = frozenset({Action.READ, Action.SCREEN})
_JUDGE = _LOOK | {Action.REPORT, Action.MARK}

MAY: Mapping[Role, frozenset[Action]] = {
    Role.PUBLIC: _LOOK,
    Role.VIEWER: _LOOK,
    Role.PLANNER: _JUDGE | {Action.OPERATE},
    Role.GRID_OFFICER: _JUDGE,
    Role.EDITOR: _JUDGE | {Action.OPERATE, Action.IMPORT, Action.EDIT},
    Role.REGULATOR: _JUDGE | {Action.OPERATE},
    Role.ADMIN: frozenset(Action),
    Role.PLATFORM: _LOOK | {Action.REPORT, Action.OPERATE},
}

ROLE_TITLES: Mapping[Role, tuple[str, str]] = {
    Role.PUBLIC: ("公众", "public"),
    Role.VIEWER: ("查看者", "viewer"),
    Role.PLANNER: ("规划人员", "planner"),
    Role.GRID_OFFICER: ("网格员", "grid officer"),
    Role.EDITOR: ("数据编辑", "editor"),
    Role.REGULATOR: ("监管人员", "regulator"),
    Role.ADMIN: ("管理员", "administrator"),
    Role.PLATFORM: ("对接平台", "platform"),
}
"""What each role is called: Chinese, English."""


def roles_that_may(action: Action) -> list[Role]:
    """The roles whose holders may do ``action``, in the order of `Role`."""
    return [role for role, actions in MAY.items() if action in actions]
