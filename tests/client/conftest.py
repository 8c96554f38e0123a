"""The servers of `tests/serve`."""

from tests.serve.conftest import locked, served

__all__ = ["locked", "served"]
