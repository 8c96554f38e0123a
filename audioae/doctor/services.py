"""The services: Prefect's API, asked over HTTP without importing Prefect."""

import json
import os
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from audioae.doctor.result import Result
from audioae.pipeline.run_log import without_passwords
from audioae.web import open_web

TIMEOUT_S = 10.0


def check_prefect() -> Iterator[Result]:
    """Whether the server of PREFECT_API_URL answers, and whether its version is that of the client."""
    url = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        yield Result("prefect", "ok", "PREFECT_API_URL is not set; each run starts a private server")
        return
    shown = without_passwords(url)
    try:
        server = _get(f"{url}/admin/version")
    except (OSError, ValueError) as error:
        remedy = "start that server (`prefect server start`), or unset PREFECT_API_URL"
        yield Result("prefect", "fail", f"PREFECT_API_URL: no answer from {shown} ({error})", remedy)
        return
    try:
        client = version("prefect")
    except PackageNotFoundError:
        client = ""
    differs = client and client.split(".")[:2] != server.split(".")[:2]
    remedy = f"the client is {client}; use the same minor version" if differs else ""
    yield Result("prefect", "warn" if differs else "ok", f"{shown} answers, version {server}", remedy)


def _get(url: str) -> str:
    request = urllib.request.Request(url, headers=_authorization())
    with open_web(request, TIMEOUT_S) as answer:
        return str(json.load(answer))


def _authorization() -> dict[str, str]:
    key = os.environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
