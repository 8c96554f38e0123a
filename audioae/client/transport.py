"""Requests to a service, and the exceptions that its problems stand for."""

from collections.abc import Mapping
from typing import Any

import httpx

from audioae import errors
from audioae.errors import AudioaeError, AudioError, SearchError, ServiceError

PREFIX = "urn:audioae:"


class Transport:
    """Connections to one service.

    Parameters
    ----------
    url : str
    api_key : str, optional
    timeout_s : float
    """

    def __init__(self, url: str, api_key: str | None, timeout_s: float):
        self.url = url.rstrip("/")
        headers = {"X-API-Key": api_key} if api_key else {}
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ServiceError(f"{url}: {error}; wanted an address such as http://127.0.0.1:8000") from None

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Parameters that are None are left out."""
        return self._ask("GET", path, params={name: value for name, value in parameters.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json=body)

    def upload(self, path: str, file: tuple[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
        """Send a file, given by its name and opened, in a form."""
        return self._ask("POST", path, files={"file": file}, data=dict(fields))

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = str(error) or type(error).__name__
            raise ServiceError(f"{self.url}: {what}; check that `audioae serve` runs there") from error
        if response.is_success:
            return response.json()
        raise self._error(response)

    def _error(self, response: httpx.Response) -> AudioaeError:
        try:
            return error_of(response.json())
        except (ValueError, KeyError, TypeError, AttributeError):
            return ServiceError(
                f"{self.url} answered {response.status_code}, which is no answer of `audioae serve`; check the address"
            )


def error_of(problem: Mapping[str, Any]) -> AudioaeError:
    """The exception that the library would have raised in place of a problem.

    >>> error_of({"type": "urn:audioae:unknown-track", "detail": "no track_id 'x'", "action": "look it up"})
    UnknownTrackError("no track_id 'x'; look it up")
    """
    kind = problem["type"].removeprefix(PREFIX)
    message = "; ".join(part for part in (problem["detail"], problem.get("action")) if part)
    if kind.startswith("audio-"):
        reason = kind.removeprefix("audio-")
        return AudioError(reason, message.removeprefix(f"{reason}: "))
    name = "".join(part.title() for part in kind.split("-")) + "Error"
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, AudioaeError):
        return known(message)
    where = f"{problem['where']}: " if problem.get("where") else ""
    return (SearchError if problem.get("status") == 422 else ServiceError)(f"{where}{message}")
