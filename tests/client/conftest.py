"""The servers of `tests/serve`."""

from tests.serve.conftest import embedding, locked, served

__all__ = ["embedding", "locked", "served"]
