"""Why an item is not written."""

from __future__ import annotations

from collections.abc import Sequence

from gis.editing.findings import Finding
from gis.errors import EditError

__all__ = ["ItemExists", "ReadOnly", "RowRefused", "StaleItem"]

_MOST_WORDS = 5


class RowRefused(EditError):
    """An item with values or a geometry that its layer does not take; ``findings`` has them all."""

    code = "row_refused"

    def __init__(self, findings: Sequence[Finding]) -> None:
        wrong = [each for each in findings if each.severity == "error"]
        first = wrong[:_MOST_WORDS]
        more = f" (+{len(wrong) - len(first)})" if len(wrong) > len(first) else ""
        super().__init__(
            " ".join(each.detail_en for each in first) + more,
            "".join(each.detail_zh for each in first) + more,
            remedy_en=" ".join(dict.fromkeys(each.remedy_en for each in first)),
            remedy_zh="".join(dict.fromkeys(each.remedy_zh for each in first)),
        )
        self.findings = tuple(findings)


class StaleItem(EditError):
    """The item is no longer what the request was made for."""

    code = "stale_item"

    def __init__(self, layer: str, uid: str) -> None:
        super().__init__(
            f"{layer} {uid[:120]!r} is no longer as If-Match says: somebody changed it meanwhile.",
            f"图层 {layer} 的“{uid[:120]}”已不是 If-Match 所指的版本：其间已被他人修改。",
            remedy_en="Read it again, make the change on what it is now, and send the new ETag.",
            remedy_zh="请重新读取，在最新内容上修改，并使用新的 ETag 提交。",
        )


class ItemExists(EditError):
    """The layer holds an item of this key."""

    code = "item_exists"

    def __init__(self, layer: str, uid: str) -> None:
        super().__init__(
            f"{layer} has an item {uid[:120]!r} already.",
            f"图层 {layer} 中已有“{uid[:120]}”。",
            remedy_en="Replace it with PUT, or write another key.",
            remedy_zh="如需修改请用 PUT，否则请换用其他标识。",
        )


class ReadOnly(EditError):
    """A layer whose rows nobody writes over HTTP, whoever it is; ``allow`` are the methods it takes."""

    code = "read_only"
    allow = ("GET", "HEAD", "OPTIONS")

    def __init__(self, layer: str, *, en: str, zh: str) -> None:
        super().__init__(
            f"Items of {layer} are not written: {en}.",
            f"{layer} 的要素不能直接修改：{zh}。",
            remedy_en="Change what they are made from.",
            remedy_zh="请修改其来源数据。",
        )
