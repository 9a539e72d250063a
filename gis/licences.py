"""Which licence words mean: the identifiers of the SPDX list (spdx.org/licenses)."""

from __future__ import annotations

import re

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

__all__ = ["spdx_id", "spdx_page"]

_REMARK = re.compile(r"\s*\([^()]*\)$")


def spdx_id(words: str) -> str | None:
    """The identifier of the one licence that ``words`` name; None for any other words.

    "CC BY 4.0", "cc-by-4.0" and "CC BY 4.0 (of the city)" are CC-BY-4.0; several licences have no identifier.
    """
    plain = _REMARK.sub("", words.strip())
    for form in (plain, "-".join(plain.split())):
        try:
            found = str(canonicalize_license_expression(form))
        except InvalidLicenseExpression:
            continue
        if " " not in found and not found.startswith("LicenseRef-"):
            return found
    return None


def spdx_page(identifier: str) -> str:
    """The address of the text of a licence of the SPDX list."""
    return f"https://spdx.org/licenses/{identifier}.html"
