"""What a catalog is made from: the config of a source, and the list of a folder's audio files.

Conventions
-----------
- A listing is a dict of columns of one length: `path` (absolute), `relative` (to the root, with "/"), and of a manifest
  the claims that it makes: text as it stands there, or None.
- Hidden files and folders are left out. A linked file is listed; a linked folder is followed where it leads to what is
  not listed already. So nothing is listed twice, and no loop is followed.
"""

import logging
import os
from collections import Counter
from string import Formatter
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from audioae.config import Config
from audioae.errors import ConfigError

Listing = dict[str, list[Any]]
Claim = Literal["track_id", "title", "artist", "album", "label", "split", "year", "added_at"]
CLAIMS: tuple[Claim, ...] = ("track_id", "title", "artist", "album", "label", "split", "year", "added_at")

EXTENSIONS = (
    *(".aac", ".aif", ".aifc", ".aiff", ".au", ".flac", ".m4a", ".m4b"),
    *(".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma", ".wv"),
)
_OF_MANIFESTS = ("columns", "root", "path_template", "id_width", "where", "header_rows")

_log = logging.getLogger(__name__)


class CatalogConfig(Config):
    """Where the tracks are. Examples: configs/catalog/.

    source : a folder, whose files' tags are read; or a .csv, .tsv or .parquet manifest.
    extensions : what counts as audio in a folder.
    label_from : in a folder, the label is the genre in the tags, or the name of the folder that the file is in.
    columns : in a manifest, our name -> its column; without it, columns of the same name.
    root : the folder that a manifest's paths are relative to; without it, the manifest's own.
    path_template : the path made from other columns, where a manifest has none: "{track_id:.3}/{track_id}.mp3".
    id_width : the manifest's track IDs are padded with zeros to this many digits.
    where : only rows with this value, or one of these values, in a column of the manifest.
    header_rows : rows of a CSV that name its columns; their cells are joined by "." ("track.title").
    shard_tracks, min_shards : tracks per shard at most; and how many shards a smaller catalog is split into.
    """

    source: str = Field(min_length=1)
    extensions: tuple[str, ...] = Field(default=EXTENSIONS, min_length=1)
    label_from: Literal["tags", "folder"] = "tags"
    columns: dict[Claim | Literal["path"], str] = Field(default_factory=dict)
    root: str | None = None
    path_template: str | None = None
    id_width: int = Field(default=0, ge=0, le=32)
    where: dict[str, str | list[str]] = Field(default_factory=dict)
    header_rows: int = Field(default=1, ge=1, le=5)
    shard_tracks: int = Field(default=1024, ge=1)
    min_shards: int = Field(default=16, ge=1)

    @property
    def is_manifest(self) -> bool:
        return self.source.lower().endswith((".csv", ".tsv", ".parquet"))

    @field_validator("extensions")
    @classmethod
    def _normalize(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f".{extension.lower().removeprefix('.')}" for extension in extensions)

    @field_validator("path_template")
    @classmethod
    def _check_template(cls, template: str | None) -> str | None:
        names = {name for _, name, _, _ in Formatter().parse(template or "") if name is not None}
        if unknown := names - set(CLAIMS):
            raise ValueError(f"{{{min(unknown)}}} is no column of ours; there are {', '.join(CLAIMS)}")
        (template or "").format(**dict.fromkeys(CLAIMS, "0"))
        return template

    @model_validator(mode="after")
    def _check_kind(self) -> "CatalogConfig":
        wrong = [name for name in _OF_MANIFESTS if name in self.model_fields_set]
        if wrong and not self.is_manifest:
            raise ValueError(
                f"{', '.join(wrong)}: only for a manifest, and {self.source} is not .csv, .tsv or .parquet"
            )
        if self.is_manifest and self.label_from == "folder":
            raise ValueError(f"label_from: folder is only for a folder; {self.source} is a manifest: map columns.label")
        return self


def list_folder(config: CatalogConfig) -> Listing:
    """List the audio files below the folder `config.source`.

    Raises
    ------
    ConfigError
        If the folder does not exist, is empty, or has no file with one of `config.extensions`.
    """
    root = os.path.abspath(os.path.expanduser(config.source))
    if not os.path.isdir(root):
        raise ConfigError(
            f"catalog.source: got {config.source}, which is no folder here ({root}); "
            "wanted a folder with audio files, or a .csv, .tsv or .parquet manifest"
        )
    listed = [os.path.join(os.path.realpath(root), "")]
    errors: list[OSError] = []
    suffixes: Counter[str] = Counter()
    paths = []
    for folder, names, files in os.walk(root, followlinks=True, onerror=errors.append):
        names[:] = [name for name in sorted(names) if _is_to_enter(os.path.join(folder, name), listed)]
        for file in files:
            suffix = os.path.splitext(file)[1].lower()
            if not file.startswith("."):
                suffixes[suffix or "files without a suffix"] += 1
                if suffix in config.extensions:
                    paths.append(os.path.join(folder, file))
    if errors:
        _log.warning("%s: %d folders cannot be read and are left out, the first: %s", root, len(errors), errors[0])
    if not paths:
        most = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:8]
        found = ", ".join(f"{n} {suffix}" for suffix, n in most) or "no file at all"
        raise ConfigError(f"catalog.source: {root}: found {found}; wanted audio files: {' '.join(config.extensions)}")
    below = len(os.path.join(root, ""))
    return {"path": paths, "relative": [path[below:].replace(os.sep, "/") for path in paths]}


def _is_to_enter(folder: str, listed: list[str]) -> bool:
    if os.path.basename(folder).startswith("."):
        return False
    if os.path.islink(folder):
        real = os.path.join(os.path.realpath(folder), "")
        if any(real.startswith(other) or other.startswith(real) for other in listed):
            return False
        listed.append(real)
    return True
