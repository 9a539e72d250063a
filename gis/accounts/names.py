"""What an account may be called."""

from __future__ import annotations

import unicodedata

from gis.errors import AccountError

__all__ = ["LONGEST", "folded", "require_name"]

LONGEST = 64
_MARKS = frozenset("._-@")


def folded(name: str) -> str:
    """``name`` in the form that is compared: NFKC, case-folded, without spaces around; any text is taken.

    Twice normalised, because folding takes a few characters apart again (Unicode 15, section 3.13, D147).
    """
    once = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", once).strip()


def require_name(name: str) -> str:
    """The folded ``name``; AccountError unless it is letters, digits and ``._-@`` and begins with the former.

    A colon never occurs: names of keys and of other issuers' people hold one in the audit log.
    """
    found = folded(name)
    if not found or len(found) > LONGEST or not found[0].isalnum():
        fits = False
    else:
        fits = all(each.isalnum() or each in _MARKS for each in found)
    if not fits:
        raise AccountError(
            f"{name[:80]!r} cannot be the name of an account.",
            f"“{name[:80]}”不能作为账号名。",
            remedy_en=f"Use 1 to {LONGEST} letters, digits and . _ - @, with a letter or digit first.",
            remedy_zh=f"请使用 1 至 {LONGEST} 个字母、汉字、数字或 . _ - @，并以字母、汉字或数字开头。",
        )
    return found
