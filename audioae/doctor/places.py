"""The places: the store (rights, clock, space), the cache, the source.

Conventions
-----------
- A store is probed with an object of its own, which is written, read, listed and deleted. A local store that does not
  exist yet is not made.
- The clock matters because the store orders versions by time, and S3 refuses requests of a clock that is 15 min wrong.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from audioae.catalog.sources import CatalogConfig, require_source
from audioae.doctor.machine import GB
from audioae.doctor.result import Result, graded
from audioae.pipeline.run_log import without_passwords
from audioae.store.cache import cache_folder
from audioae.store.storage import Storage

LEAST_DISK_GB = (10.0, 1.0)  # below these: warn, fail
MOST_SKEW_S = (5.0, 300.0)  # above these: warn, fail
PROBE = "doctor"
RIGHTS = {"put": "PutObject", "get": "GetObject", "list": "ListBucket", "delete": "DeleteObject"}


def check_store(root: str) -> Iterator[Result]:
    """What may be done with objects of the store, and how its clock differs from this machine's."""
    shown = without_passwords(root.partition("?")[0])
    if "://" not in root and not Path(root).expanduser().is_dir():
        yield _unmade(Path(root).expanduser().absolute())
        return
    storage, key, content = Storage(root), f"{PROBE}/{secrets.token_hex(6)}", secrets.token_bytes(64)
    times: list[datetime] = []
    steps: dict[str, Callable[[], object]] = {
        "put": lambda: storage.write(key, content),
        "get": lambda: _require(storage.read(key) == content, "other bytes came back than were written"),
        "list": lambda: times.append(storage.list(PROBE)[key].time),
        "delete": lambda: storage.delete(key),
    }
    before = datetime.now(UTC)
    failed = {name: error for name, step in steps.items() if (error := _attempt(step))}
    if storage.is_local:
        with contextlib.suppress(OSError):
            Path(storage.path(PROBE)).rmdir()
    if failed:
        name, error = next(iter(failed.items()))
        remedy = f"allow s3:{RIGHTS[name]}" if not storage.is_local else "give this user the right to write there"
        yield Result("store", "fail", f"{shown}: {', '.join(failed)} failed ({without_passwords(error)})", remedy)
    else:
        yield Result("store", "ok", f"{shown}: put, get, list and delete work")
    if times:
        yield _clock((times[0] - before).total_seconds())


def check_disks(root: str | None) -> Iterator[Result]:
    """The space that is free for a local store, the cache and temporary files."""
    places = {"cache": cache_folder(), "temporary files": Path(tempfile.gettempdir())}
    if root is not None and "://" not in root:
        places = {"store": Path(root).expanduser().absolute(), **places}
    for name, path in places.items():
        usage = shutil.disk_usage(_existing(path))
        found = f"{path}: {usage.free / GB:.0f} of {usage.total / GB:.0f} GB free"
        remedy = "free some; `audioae plan` says how much a catalog takes"
        yield graded(f"disk of the {name}", usage.free / GB, *LEAST_DISK_GB, found, remedy)


def check_source(catalog: CatalogConfig) -> Iterator[Result]:
    """Whether the source can be read, by reading the first file."""
    where = without_passwords(require_source(catalog))
    if "://" in where:
        yield Result("source", "ok", f"{where}: it is read when a run lists it")
        return
    first = where if catalog.is_manifest else _first_file(where, catalog.suffixes)
    if first is None:
        yield Result("source", "fail", f"{where}: no file of audio", "check catalog.source and catalog.extensions")
        return
    with open(first, "rb") as file:
        file.read(1)
    yield Result("source", "ok", f"{where}: can be read")


def _first_file(folder: str, suffixes: tuple[str, ...]) -> str | None:
    for path, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            if name.lower().endswith(suffixes):
                return os.path.join(path, name)
    return None


def _raise(error: OSError) -> None:
    raise error


def _attempt(step: Callable[[], object]) -> str:
    """The message of a step that failed, else empty."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - a right that is missing is a line
        return str(error) or type(error).__name__
    return ""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise OSError(message)


def _clock(skew_s: float) -> Result:
    found = f"the store's clock differs by {abs(skew_s):.1f} s"
    return graded("clock", -abs(skew_s), -MOST_SKEW_S[0], -MOST_SKEW_S[1], found, "synchronize the clock (NTP)")


def _unmade(path: Path) -> Result:
    parent = _existing(path)
    if os.access(parent, os.W_OK | os.X_OK):
        return Result("store", "ok", f"{path}: does not exist yet; the first run makes it")
    return Result("store", "fail", f"{path}: does not exist, and {parent} cannot be written", "choose another folder")


def _existing(path: Path) -> Path:
    """The nearest folder above that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
