"""Which language a request wants: zh or en."""

from __future__ import annotations

from starlette.requests import HTTPConnection

__all__ = ["language_of", "preferred"]


def preferred(accept_language: str, default: str = "zh") -> str:
    """Whichever of "zh" and "en" an Accept-Language header weighs more; ``default`` when it names neither."""
    weights: dict[str, float] = {}
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        if language in ("zh", "en"):
            weights[language] = max(weights.get(language, 0.0), _weight(parameter))
    return max(weights, key=lambda language: weights[language]) if weights else default


def _weight(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
    except ValueError:
        return 0.0


def language_of(request: HTTPConnection) -> str:
    """The language of the answer: as the request says, else the district's first."""
    default = getattr(request.app.state, "default_language", "zh")
    return preferred(request.headers.get("accept-language", ""), default)
