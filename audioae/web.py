"""Requests to web servers only: urllib would also open a local file, if a link or a setting named one."""

import urllib.request
from http.client import HTTPResponse
from urllib.parse import urlsplit


def open_web(request: str | urllib.request.Request, timeout_s: float) -> HTTPResponse:
    """Open an address of a web server.

    Parameters
    ----------
    request : str or urllib.request.Request
        `http://` or `https://`.
    timeout_s : float
        Seconds that the server may be silent.

    Raises
    ------
    OSError
        If the server does not answer, or answers with an error (`urllib.error.HTTPError`).
    ValueError
        If the address has another scheme, such as `file:`.
    """
    address = request if isinstance(request, str) else request.full_url
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(f"{address}: expected an address that begins with http:// or https://")
    return urllib.request.urlopen(request, timeout=timeout_s)  # nosec B310 - the scheme was checked
