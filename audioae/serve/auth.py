"""Who may ask: API keys, of which the server knows only the hashes.

    # name:sha256[:role]            role: read (the default); judge, which may also save verdicts; admin, which may all
    navidrome:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    nightly-job:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752:admin

Conventions
-----------
- One entry a line in a key file; entries are separated by commas or line breaks in `AUDIOAE_API_KEYS`. `#` begins a
  comment. One name may have several keys: that is how a key is replaced without an interruption.
- A request sends its key as `X-API-Key: KEY`, `Authorization: Bearer KEY` or, as Qdrant's clients do, `api-key: KEY`.
- Without any key, whoever reaches the server may read and judge, and nobody is an admin; `server` then listens on the
  loopback only, and answers only requests that name this machine.
- No message contains a key or a hash.

Why a plain SHA-256: `make_key` draws 256 random bits, so there is nothing to guess and nothing for a slow hash to slow
down; argon2 and its like protect passwords that people make up. A slow hash would cost every request milliseconds.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from audioae.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Role = Literal["read", "judge", "admin"]

VARIABLE = "AUDIOAE_API_KEYS"
OPEN = frozenset({"/livez", "/readyz", "/docs", "/openapi.json", "/explore"})  # what the API is, is no secret
OPEN_BELOW = ("/docs/", "/explore/")
OWN_AUTH = "/rest/"  # OpenSubsonic: its key is a parameter, and its errors have a form of their own
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LONGEST = 1024  # bytes of a key that is worth hashing


class Key(NamedTuple):
    """Whose key it is, what it allows, and its hash."""

    name: str
    role: Role
    sha256: str


class Keys:
    """The keys that a server accepts.

    >>> keys = Keys.parse(f"me:{hash_key('secret')}:admin", "here")
    >>> keys.role_of("secret"), keys.role_of("guess")
    ('admin', None)
    """

    def __init__(self, keys: Iterable[Key] = ()):
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def load(cls, keys_file: str | None = None, variable: str | None = None) -> "Keys":
        """The keys of a file and of the content of `AUDIOAE_API_KEYS`.

        Raises
        ------
        ConfigError
            If the file cannot be read, an entry is malformed, or the file has none: the message names the line.
        """
        keys = list(cls.parse(variable.replace(",", "\n"), VARIABLE, "entry")._keys) if variable else []
        if keys_file is not None:
            try:
                text = Path(keys_file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{keys_file}: the key file cannot be read ({error})") from None
            entries = cls.parse(text, keys_file)._keys
            if not entries:
                raise ConfigError(f"{keys_file}: no keys in it; make one with `audioae serve-key NAME`")
            keys += entries
        return cls(keys)

    @classmethod
    def parse(cls, text: str, where: str, unit: str = "line") -> "Keys":
        """The keys of a text, one a line. Raises `ConfigError` naming the first bad line, never its content."""
        keys, seen = [], {}
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            key = _parse(entry, f"{where}: {unit} {number}")
            if key.sha256 in seen:
                raise ConfigError(f"{where}: {unit} {number}: the same key as {unit} {seen[key.sha256]}; remove one")
            seen[key.sha256] = number
            keys.append(key)
        return cls(keys)

    def find(self, key: str | bytes) -> Key | None:
        """The entry of a key, None if it is not valid. Takes equally long for every key of the same length."""
        content = key.encode(errors="replace") if isinstance(key, str) else key
        digest = hash_key(content[:_LONGEST])
        found = None
        for entry in self._keys:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found if len(content) <= _LONGEST else None

    def role_of(self, key: str | bytes) -> Role | None:
        """What a key allows; None if it is not valid."""
        found = self.find(key)
        return found.role if found else None


def make_key() -> str:
    """A new key of 256 random bits; the prefix lets scanners of leaked secrets recognize it."""
    return f"audioae_{secrets.token_urlsafe(32)}"


def hash_key(key: str | bytes) -> str:
    """The hash of a key that an entry contains."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def _parse(entry: str, where: str) -> Key:
    name, _, rest = entry.partition(":")
    sha256, _, role = rest.partition(":")
    role = role or "read"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: wanted a name of letters, digits, . _ - (at most 64), then :sha256 and :role")
    if not _HASH.fullmatch(sha256):
        raise ConfigError(
            f"{where}: wanted name:sha256[:role] with 64 hex digits, got {len(sha256)} characters; the entry contains "
            "the hash of a key, not the key: `audioae serve-key NAME` prints both"
        )
    if role not in get_args(Role):
        raise ConfigError(f"{where}: wanted the role read, judge or admin")
    return Key(name, role, sha256)  # pyright: ignore[reportArgumentType]


class Authentication:
    """Middleware that lets a request pass with a valid key, and notes its role and the key's name in the scope.

    Parameters
    ----------
    app : ASGIApp
    keys : callable () -> Keys
        The keys that are valid now.
    """

    def __init__(self, app: "ASGIApp", keys: Callable[[], Keys]):
        self._app, self._keys = app, keys

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["role"], state["key"] = "judge", None
        keys, path = self._keys(), scope["path"]
        if keys and path not in OPEN and not path.startswith(OPEN_BELOW):
            key = sent_key(scope["headers"])
            found = keys.find(key) if key is not None else None
            state["role"], state["key"] = (found.role, found.name) if found else (None, None)
            if found is None and not path.startswith(OWN_AUTH):
                await _refusal(was_sent=key is not None, request_id=state.get("request_id"))(scope, receive, send)
                return
        if not keys and not _is_local(scope["headers"]):
            await _elsewhere(state.get("request_id"))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_local(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request names this machine, or any address, in its header Host; or has none.

    Why: without keys, the server is for this machine only. A web page whose name was made to point to 127.0.0.1 (DNS
    rebinding) reaches it through the browser of somebody who sits there, but cannot hide its name.

    >>> [_is_local([(b"host", host)]) for host in (b"localhost:8000", b"127.0.0.1", b"[::1]:8000", b"evil.example")]
    [True, True, True, False]
    """
    host = next((value for name, value in headers if name == b"host"), b"localhost").decode("latin-1").lower()
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def sent_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key in the headers of a request, None without one."""
    for name, value in headers:
        if name in (b"x-api-key", b"api-key"):
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return None


def _elsewhere(request_id: str | None):
    from audioae.serve.problems import Problem

    return Problem(
        421,
        "without keys this server answers only to localhost or an address in the header Host",
        action="send Host: localhost, or start the server with keys",
    ).response(request_id)


def _refusal(*, was_sent: bool, request_id: str | None):
    from audioae.serve.problems import Problem

    problem = Problem(
        401,
        "this key is not valid" if was_sent else "this server needs a key",
        action="send one in the header X-API-Key, or Authorization: Bearer",
        headers={"WWW-Authenticate": "Bearer"},
    )
    return problem.response(request_id)
