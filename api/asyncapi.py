"""What the service sends by itself, as AsyncAPI 3.0: the webhooks."""

from __future__ import annotations

from typing import Any

from gis.webhooks.events import EVENT_TYPE, MEDIA_TYPE, MOST_ROWS

__all__ = ["describe_events"]

_COUNT = {"type": "integer", "minimum": 0}
_HEADERS = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The event's id, the same whenever it is sent"},
        "webhook-timestamp": {"type": "string", "pattern": r"^\d+$", "description": "Seconds since 1970"},
        "webhook-signature": {
            "type": "string",
            "pattern": "^v1,",
            "description": "HMAC-SHA256 over id.timestamp.body (Standard Webhooks), base64",
        },
    },
}
_DATA = {
    "type": "object",
    "required": ["layer", "revision", "kind", "added", "changed", "closed", "rows", "complete", "changes"],
    "properties": {
        "layer": {"type": "string"},
        "revision": {"type": "integer", "minimum": 1},
        "kind": {"type": "string", "description": "import, edit, revert, refresh ..."},
        "added": _COUNT,
        "changed": _COUNT,
        "closed": _COUNT,
        "rows": {
            "type": "array",
            "maxItems": MOST_ROWS,
            "items": {
                "type": "object",
                "required": ["uid", "change"],
                "properties": {
                    "uid": {"type": "string"},
                    "change": {"type": "string", "enum": ["added", "changed", "closed"]},
                },
            },
        },
        "complete": {"type": "boolean", "description": "Whether rows are all that changed"},
        "changes": {"type": "string", "description": "The feed from just before this revision on"},
    },
}
_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "const": EVENT_TYPE},
        "subject": {"type": "string", "description": "The layer"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"type": "string", "const": "application/json"},
        "sequence": {"type": "string", "description": "Grows with the revision, as text too"},
        "data": _DATA,
    },
}


def describe_events(version: str, base: str) -> dict[str, Any]:
    """The AsyncAPI document; ``base`` is the address of the service."""
    message = {"$ref": "#/channels/webhook/messages/layerChanged"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "onemap",
            "version": version,
            "description": f"Webhooks; who is told is set up at {base}/webhooks. The same, to be asked: "
            f"{base}/changes.",
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            "webhook": {
                "address": None,
                "title": "The receiver's own address",
                "description": "In order of revisions, at least once; any 2xx takes an event.",
                "messages": {"layerChanged": {"$ref": "#/components/messages/layerChanged"}},
            }
        },
        "operations": {
            "tellChanges": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "summary": "What one revision did to one layer",
                "messages": [message],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "messages": {
                "layerChanged": {
                    "name": EVENT_TYPE,
                    "title": "A layer changed",
                    "contentType": MEDIA_TYPE,
                    "headers": _HEADERS,
                    "payload": _EVENT,
                }
            }
        },
    }
