"""The read-only HTTP API of a market (docs/api.md)."""

from marketplace.api.app import create_app
from marketplace.api.server import serve

__all__ = ["create_app", "serve"]
