"""Answers of the engine in the shape that clients read, over HTTP and from the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gis.health import HealthCard
    from gis.sources import Source
    from gis.webhooks import DeadLetter, Subscription

__all__ = [
    "conflict_numbers",
    "dead_letter",
    "health_card",
    "source_entry",
    "subscription_entry",
]


def conflict_numbers(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The conflicts in numbers: a row for each rule (or rules asked together), one for each township."""
    townships: Counter[tuple[str | None, str | None]] = Counter()
    for row in summary["by_township"]:
        townships[row["county"], row["township"]] += row["count"]
    # Names of columns are a kind of text of their own, which the JSON writer refuses as keys.
    rules = [{str(name): value for name, value in row.items()} for row in summary["by_rule"]]
    return dict(summary) | {
        "by_rule": rules,
        "by_township": [
            {"county": county, "township": township, "count": count}
            for (county, township), count in townships.most_common()
        ],
    }


def health_card(card: HealthCard) -> dict[str, Any]:
    """A health card with its titles and rhythms in both languages."""
    content = asdict(card) | {"title": card.title.model_dump()}
    for source in content["sources"]:
        source["title"] = source["title"].model_dump()
        source["rhythm_words"] = _rhythm_words(source["rhythm"])
    return content


def source_entry(source: Source) -> dict[str, Any]:
    """An entry of the register of sources."""
    content = asdict(source)
    content["title"] = {"zh": content.pop("title_zh"), "en": content.pop("title_en")}
    content["rhythm_words"] = _rhythm_words(source.rhythm)
    return content


def _rhythm_words(rhythm: str | None) -> dict[str, str] | None:
    from gis.rhythms import rhythm_words

    return None if rhythm is None else rhythm_words(rhythm).model_dump()


def subscription_entry(subscription: Subscription) -> dict[str, Any]:
    """A subscription without its secret; ``told`` is the last revision that its receiver has whole."""
    return {
        "name": subscription.name,
        "url": subscription.url,
        "layers": subscription.layers,
        "who": subscription.who,
        "created": subscription.made_at,
        "status": "paused" if subscription.paused else "waiting" if subscription.failures else "active",
        "paused": subscription.paused,
        "told": subscription.position.rev - 1,
        "delivered": subscription.delivered,
        "failures": subscription.failures,
        "next": subscription.next_at if subscription.failures else None,
        "last": subscription.last_at,
        "lastWords": subscription.last_words,
    }


def dead_letter(letter: DeadLetter) -> dict[str, Any]:
    """An event that was given up."""
    return asdict(letter)
