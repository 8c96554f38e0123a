"""List the audio files below an address: a prefix of a bucket, or a page of links on a web server.

Conventions
-----------
- A listing gives what a local folder's gives and what `os.stat` would: URI, path below the source, size and time of
  modification. No file is opened, and no request is made per file, except on a web server, which tells sizes only file
  by file.
- Folders are listed one after another, each by one request per 1,000 entries; a folder's entries are sorted by name.
- `catalog.exclusion` and the suffixes hold as for a local folder.

Why no boto3, gcsfs or adlfs: pyarrow reads all three services, and it is needed to read Parquet anyway.
"""

import os
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from audioae.audio.remote import TIMEOUT_S, filesystem_of, stat_remote
from audioae.catalog.exclusion import is_excluded, is_system_folder
from audioae.catalog.sources import CatalogConfig
from audioae.errors import AudioError, ConfigError
from audioae.web import open_web


class RemoteFile(NamedTuple):
    """An audio file of a listing; size and time (nanoseconds since 1970) are None where the server does not tell."""

    uri: str
    relative: str
    size_bytes: int | None
    modified_ns: int | None


def list_remote(config: CatalogConfig) -> Iterator[RemoteFile]:
    """The audio files below `config.source`, folder by folder.

    Raises
    ------
    ConfigError
        If the source cannot be listed.
    """
    source, list_source = config.source.rstrip("/"), _objects
    if source.startswith("http"):
        list_source = _links
    try:
        yield from list_source(source, lambda relative: _is_wanted(relative, config))
    except (AudioError, OSError) as error:
        detail = error.detail if isinstance(error, AudioError) else getattr(error, "reason", error)
        raise ConfigError(
            f"catalog.source: {config.source} cannot be listed: {detail}; check the address, the credentials "
            "(AWS_*, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_*) and the endpoint (AWS_ENDPOINT_URL)"
        ) from None


def _is_wanted(relative: str, config: CatalogConfig) -> bool:
    """Whether a path has a suffix of audio, and neither it nor a folder of it is left out."""
    if os.path.splitext(relative)[1].lower() not in config.suffixes:
        return False
    parts = relative.split("/")
    if any(part.startswith(".") for part in parts) or any(map(is_system_folder, parts[:-1])):
        return False
    return not any(is_excluded("/".join(parts[:end]), config.exclude) for end in range(1, len(parts) + 1))


def _objects(source: str, is_wanted: Callable[[str], bool]) -> Iterator[RemoteFile]:
    """The objects below a prefix."""
    from pyarrow import fs as pafs

    filesystem, root = filesystem_of(source)
    scheme, todo = source.partition("://")[0], [root]
    while todo:
        folder = todo.pop()
        infos = sorted(filesystem.get_file_info(pafs.FileSelector(folder)), key=lambda info: info.path)
        folders = [info.path for info in infos if info.type == pafs.FileType.Directory]
        todo += reversed(folders)
        for info in infos:
            relative = info.path[len(root) + 1 :]
            if info.type == pafs.FileType.File and is_wanted(relative):
                modified = info.mtime_ns if info.mtime is not None else None
                yield RemoteFile(f"{scheme}://{info.path}", relative, info.size, modified)


class _Page(HTMLParser):
    """The targets of the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _links(source: str, is_wanted: Callable[[str], bool]) -> Iterator[RemoteFile]:
    """The files that a page of links, and the pages below it, link to."""
    root = f"{source}/"
    todo, seen = [root], {root}
    while todo:
        page = _Page()
        address = todo.pop()
        with open_web(address, TIMEOUT_S) as answer:
            page.feed(answer.read().decode("utf-8", "replace"))
        links = sorted({urljoin(address, link).partition("#")[0] for link in page.links})
        links = [link for link in links if link.startswith(root) and not urlsplit(link).query and link not in seen]
        seen.update(links)
        todo += reversed([link for link in links if link.endswith("/")])
        for link in links:
            relative = unquote(link.removeprefix(root))
            if not link.endswith("/") and is_wanted(relative):
                yield RemoteFile(link, relative, *stat_remote(link))
