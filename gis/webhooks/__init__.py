"""Webhooks: whoever subscribes is told of every revision of their layers, in order, at least once.

    add_subscription      a receiver with a secret of its own                    -> (Subscription, secret)
    list_subscriptions    who is told, and how far                               -> list
    replay                go back and tell everything from a revision on again
    dead_letters          what was given up                                      -> list
    due                   who can be told something now                          -> list of numbers
    deliver               tell one receiver what it does not know yet            -> Delivered
    callbacks_due         which clients can be told of their jobs now
    tell_callback         tell one of them                                       -> whether it took it

What is sent is read from the revisions themselves, and how far a receiver has come is one row: there is no
queue of events that could lose one.
"""

from gis.webhooks.book import (
    DeadLetter,
    Subscription,
    add_subscription,
    dead_letters,
    due,
    find_subscription,
    list_subscriptions,
    remove_subscription,
    replay,
)
from gis.webhooks.callbacks import CALLBACKS, callbacks_due, tell_callback
from gis.webhooks.delivery import Delivered, Patience, deliver
from gis.webhooks.events import EVENT_TYPE, event_of
from gis.webhooks.sending import Sender, SendLimits

__all__ = [
    "CALLBACKS",
    "EVENT_TYPE",
    "DeadLetter",
    "Delivered",
    "Patience",
    "SendLimits",
    "Sender",
    "Subscription",
    "add_subscription",
    "callbacks_due",
    "dead_letters",
    "deliver",
    "due",
    "event_of",
    "find_subscription",
    "list_subscriptions",
    "remove_subscription",
    "replay",
    "tell_callback",
]
