"""The parameters of a request of OpenSubsonic, and who sent it.

Conventions
-----------
- Parameters come in the query, in a form that is posted (`formPost`), or in both; the form's count more.
- A key is the parameter `apiKey` (`apiKeyAuthentication`), or one of the headers that `serve.auth` reads. Users and
  passwords do not exist here: a server with keys refuses them, one without does not look at them.

Source: https://opensubsonic.netlify.app/docs/api-reference/ and .../docs/extensions/apikeyauth/
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from audioae.serve.opensubsonic.envelope import (
    API_VERSION,
    CLIENT_TOO_OLD,
    CONFLICTING_LOGINS,
    GENERIC,
    INVALID_KEY,
    MISSING,
    NO_TOKENS,
    SERVER_TOO_OLD,
    UNSUPPORTED_LOGIN,
    FailedError,
)
from audioae.serve.requests import service_of

MAX_PARAMETERS = 100
MAX_LENGTH = 1000  # characters of a value
FORM = "application/x-www-form-urlencoded"
ANONYMOUS = "anonymous"
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){0,3}", re.ASCII)

Parameters = Mapping[str, str]


async def read_parameters(request: Request) -> Parameters:
    """The parameters by name; of several values the last."""
    parameters = dict(request.query_params)
    if request.method == "POST" and (body := await request.body()):
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise FailedError(GENERIC, f"content-type: wanted {FORM}")
        try:
            fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:
            raise FailedError(GENERIC, f"the form: wanted at most {MAX_PARAMETERS} fields, URL-encoded") from None
        parameters.update(fields)
    return parameters


def require(parameters: Parameters, name: str) -> str:
    """The value of a parameter. Raises `FailedError` without one, or with one that is no name of anything."""
    if not (value := parameters.get(name, "")):
        raise FailedError(MISSING, f"{name}: required parameter is missing")
    if len(value) > MAX_LENGTH:
        raise FailedError(GENERIC, f"{name}: got {len(value):,} characters, wanted at most {MAX_LENGTH:,}")
    return value


def whole_number(parameters: Parameters, name: str, default: int, *, least: int) -> int:
    """The value of a parameter that is a number. Raises `FailedError` if it is none, or below `least`."""
    text = parameters.get(name, "") or str(default)
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII) or int(text) < least:
        raise FailedError(GENERIC, f"{name}: got {text!r}, wanted a whole number from {least} on")
    return int(text)


def check_client(parameters: Parameters) -> None:
    """Raise `FailedError` unless the client says its name and speaks a version that this server speaks too."""
    version = require(parameters, "v")
    require(parameters, "c")
    if not _VERSION.fullmatch(version):
        raise FailedError(GENERIC, f"v: got {version!r}, wanted a version such as {API_VERSION}")
    asked, own = ([int(part) for part in text.split(".")] for text in (version, API_VERSION))
    if asked[0] < own[0]:
        raise FailedError(CLIENT_TOO_OLD, f"v: got {version}, this server speaks {API_VERSION}; upgrade the client")
    if asked > own:
        raise FailedError(SERVER_TOO_OLD, f"v: got {version}, this server speaks {API_VERSION}; ask for that")


def has_valid_key(request: Request, parameters: Parameters) -> bool:
    """Whether a key was sent that the server knows."""
    state = request.scope.get("state", {})
    return service_of(request).keys.find(parameters.get("apiKey", "")) is not None or state.get("key") is not None


def authenticate(request: Request, parameters: Parameters) -> str:
    """The name of the key that was sent; `ANONYMOUS` if the server has no keys.

    Raises
    ------
    FailedError
        With the specification's code for what was sent instead.
    """
    keys, state = service_of(request).keys, request.scope.setdefault("state", {})
    sent = {name for name in ("apiKey", "u", "p", "t", "s") if parameters.get(name)}
    if ("apiKey" in sent and len(sent) > 1) or ("p" in sent and sent & {"t", "s"}):
        several = ", ".join(sorted(sent))
        raise FailedError(CONFLICTING_LOGINS, f"{several}: multiple conflicting authentication mechanisms; send apiKey")
    if not keys:
        return ANONYMOUS
    if "apiKey" in sent:
        found = keys.find(parameters["apiKey"])
        if found is None:
            raise FailedError(INVALID_KEY, "apiKey: invalid API key")
        state["role"], state["key"] = found.role, found.name
        return found.name
    if state.get("key") is not None:
        return state["key"]
    if sent & {"t", "s"}:
        raise FailedError(NO_TOKENS, "t, s: token authentication is not supported; send apiKey")
    if sent:
        raise FailedError(UNSUPPORTED_LOGIN, "u, p: this authentication mechanism is not supported; send apiKey")
    raise FailedError(MISSING, "apiKey: required parameter is missing")
