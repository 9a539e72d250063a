"""Passwords: argon2id, and which ones are refused."""

from __future__ import annotations

import base64
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from argon2 import PasswordHasher, Type, profiles
from argon2.exceptions import VerificationError

from gis.accounts.names import folded
from gis.errors import AccountError
from gis.settings import Settings

__all__ = ["LONGEST", "SHORTEST", "Passwords", "passwords_of", "require_password"]

SHORTEST = 10
LONGEST = 256
"""NIST SP 800-63B, 3.1.1.2: at least 64 are to be allowed; beyond some length a hash is an attack."""

# What is tried first, without the digits and marks that people put around it. The public lists of stolen
# passwords have little else of ten characters and more.
_COMMON = frozenset(
    """
    password passwort passw0rd p@ssword p@ssw0rd qwerty qwertyuiop qwertyui asdfghjkl asdfghjklzxcvbnm zxcvbnm
    1qaz2wsx qazwsxedc qazwsx 1q2w3e4r 1q2w3e4r5t abcdefghij abcdefg abcabc iloveyou woaini woaini1314 welcome
    letmein admin administrator superuser root system guest default changeme secret onemap yizhangtu huanbao
    huanjing shengtai zhejiang jinhua computer internet baseball football superman sunshine princess dragon
    master monkey trustno michael jennifer jordan google microsoft
    """.split()
)
_AROUND = "0123456789!@#$%^&*()_-+=.,?/ "


@dataclass(frozen=True)
class Passwords:
    """Makes and checks hashes with one set of costs.

    The defaults are the second recommended option of RFC 9106, section 4 (argon2id, t=3, m=64 MiB, p=4),
    above the minimum of the OWASP Password Storage Cheat Sheet (m=19 MiB, t=2, p=1).
    """

    time_cost: int = profiles.RFC_9106_LOW_MEMORY.time_cost
    memory_kib: int = profiles.RFC_9106_LOW_MEMORY.memory_cost
    lanes: int = profiles.RFC_9106_LOW_MEMORY.parallelism

    @cached_property
    def _hasher(self) -> PasswordHasher:
        return PasswordHasher(self.time_cost, self.memory_kib, self.lanes, type=Type.ID)

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password has, of the same cost as any other."""
        salt, digest = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        return f"$argon2id$v=19$m={self.memory_kib},t={self.time_cost},p={self.lanes}${salt}${digest}"

    def hash(self, password: str) -> str:
        """The hash of ``password`` in PHC form, with a salt of its own."""
        return self._hasher.hash(_stable(password))

    def fits(self, password: str, held: str | None) -> bool:
        """Whether ``held`` is a hash of ``password``; None takes as long as any and is False."""
        try:
            return self._hasher.verify(held or self._nobody, _stable(password[:LONGEST]))
        except VerificationError:
            return False

    def is_stale(self, held: str) -> bool:
        """Whether ``held`` was made at other costs than these."""
        return self._hasher.check_needs_rehash(held)


def passwords_of(settings: Settings) -> Passwords:
    """At the costs that the installation has set."""
    return Passwords(settings.password_time_cost, settings.password_memory_kib, settings.password_lanes)


def _stable(password: str) -> str:
    """As NIST SP 800-63B asks, so that two keyboards type the same password."""
    return unicodedata.normalize("NFKC", password)


def require_password(password: str, name: str) -> str:
    """``password`` when it may be that of the account ``name``; else AccountError with the reason.

    NIST SP 800-63B, 3.1.1.2: length counts, not the kinds of characters; common ones and those made of the
    name are refused; nobody has to change one by the calendar.
    """
    bare = folded(password)
    core = bare.strip(_AROUND)
    if len(_stable(password)) < SHORTEST:
        why = (f"it has less than {SHORTEST} characters", f"少于 {SHORTEST} 个字符")
    elif len(password) > LONGEST:
        why = (f"it has more than {LONGEST} characters", f"超过 {LONGEST} 个字符")
    elif core == "":
        why = ("it is a number, as dates and telephone numbers are", "仅由数字和符号组成，如日期、电话号码")
    elif core in _COMMON or bare in _COMMON:
        why = ("it is among the first that anybody tries", "属于最常被猜测的密码")
    elif len(set(bare)) < 4:
        why = ("it repeats a few characters", "只是少数字符的重复")
    elif folded(name) in bare and len(bare.replace(folded(name), "")) < SHORTEST - 2:
        why = ("it is little more than the name", "与账号名过于接近")
    else:
        return password
    raise AccountError(
        f"This password is refused: {why[0]}.",
        f"密码不可用：{why[1]}。",
        remedy_en=f"Take a sentence, or at least {SHORTEST} characters that nobody guesses.",
        remedy_zh=f"请使用一句话，或至少 {SHORTEST} 个不易猜到的字符。",
    )
