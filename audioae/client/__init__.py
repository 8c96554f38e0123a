"""The client of `audioae serve`: `audioae.connect(url)`."""

from audioae.client.library import RemoteLibrary

__all__ = ["RemoteLibrary"]
