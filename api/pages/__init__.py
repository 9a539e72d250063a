"""The API for people: each JSON answer as an HTML page, in the look of the map.

A page is made from the very answer that a program gets, so it never shows more, less or other than that.
"""

from api.pages.middleware import Pages

__all__ = ["Pages"]
