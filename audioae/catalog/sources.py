"""The source of a catalog: its config, and the list of a folder's audio files.

Conventions
-----------
- A listing is a dict of columns of equal length: `path` (absolute) and `relative` (to the root, with "/"); from a
  manifest also its claims (title, label, ...), as text or None.
- Hidden files and folders are skipped. Links to files are listed. A link to a folder is followed unless the folder is
  listed already, so that no file is listed twice and no loop is followed.
"""

import logging
import os
from collections import Counter
from string import Formatter
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from audioae.catalog.tag_config import TagLimits
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
    """Where the tracks are. For examples, see configs/catalog/.

    source : a folder, whose files' tags are read; or a .csv, .tsv or .parquet manifest.
    extensions : the file name extensions of audio, in a folder.
    tag_encoding : the encoding of tags that do not declare one (ID3 "Latin-1", RIFF INFO), such as cp1251 or gbk.
    tag_limits : see `TagLimits`.
    label_separators : characters at which a label is split into several, such as "/;"; default: none.
    label_from : in a folder, take the label from the genre in the tags, or from the name of the file's folder.
    columns : in a manifest, a map from our column names to its column names; default: the same names.
    root : the folder that a manifest's paths are relative to; default: the manifest's folder.
    path_template : the path as a pattern of other columns, if a manifest has no paths: "{track_id:.3}/{track_id}.mp3".
    id_width : pad the manifest's track IDs with zeros to this many digits.
    where : keep only rows with this value, or one of these values, in a column of the manifest.
    header_rows : number of rows of a CSV that name its columns; their cells are joined by "." ("track.title").
    shard_tracks, min_shards : the most tracks per shard, and the least number of shards.
    """

    source: str = Field(min_length=1)
    extensions: tuple[str, ...] = Field(default=EXTENSIONS, min_length=1)
    tag_encoding: str | None = None
    tag_limits: TagLimits = TagLimits()
    label_separators: str = ""
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

    @field_validator("tag_encoding")
    @classmethod
    def _check_encoding(cls, encoding: str | None) -> str | None:
        try:
            "".encode(encoding or "utf-8")
        except LookupError:
            raise ValueError(
                "no such encoding; wanted one that Python knows, such as cp1251, gbk or shift_jis"
            ) from None
        return encoding

    @field_validator("path_template")
    @classmethod
    def _check_template(cls, template: str | None) -> str | None:
        names = {name for _, name, _, _ in Formatter().parse(template or "") if name is not None}
        if unknown := names - set(CLAIMS):
            raise ValueError(f"{{{min(unknown)}}} is not one of our columns: {', '.join(CLAIMS)}")
        (template or "").format(**dict.fromkeys(CLAIMS, "0"))
        return template

    @model_validator(mode="after")
    def _check_kind(self) -> "CatalogConfig":
        wrong = [name for name in _OF_MANIFESTS if name in self.model_fields_set]
        if wrong and not self.is_manifest:
            raise ValueError(
                f"{', '.join(wrong)}: only for a manifest, but {self.source} is not a .csv, .tsv or .parquet file"
            )
        if self.is_manifest and self.label_from == "folder":
            raise ValueError(f"label_from: only for a folder, but {self.source} is a manifest; set columns.label")
        return self


def require_source(config: CatalogConfig) -> str:
    """The absolute path of `config.source`. Raises `ConfigError` if there is no such folder or manifest."""
    path = os.path.abspath(os.path.expanduser(config.source))
    if config.is_manifest and not os.path.isfile(path):
        raise ConfigError(f"catalog.source: file not found: {path}. Expected a .csv, .tsv or .parquet manifest.")
    if not config.is_manifest and not os.path.isdir(path):
        raise ConfigError(
            f"catalog.source: folder not found: {path}. "
            "Expected a folder of audio files, or a .csv, .tsv or .parquet manifest."
        )
    return path


def list_folder(config: CatalogConfig) -> Listing:
    """List the audio files below the folder `config.source`.

    Raises
    ------
    ConfigError
        If the folder does not exist, is empty, or has no file with one of `config.extensions`.
    """
    root = require_source(config)
    listed = [os.path.join(os.path.realpath(root), "")]
    errors: list[OSError] = []
    suffixes: Counter[str] = Counter()
    paths = []
    for folder, names, files in os.walk(root, followlinks=True, onerror=errors.append):
        names[:] = [name for name in sorted(names) if _may_enter(os.path.join(folder, name), listed)]
        for file in files:
            suffix = os.path.splitext(file)[1].lower()
            if not file.startswith("."):
                suffixes[suffix or "files without a suffix"] += 1
                if suffix in config.extensions:
                    paths.append(os.path.join(folder, file))
    if errors:
        _log.warning("%s: skipped %d folders that cannot be read, such as %s", root, len(errors), errors[0])
    if not paths:
        most_frequent = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:8]
        found = ", ".join(f"{n} {suffix}" for suffix, n in most_frequent) or "no files"
        raise ConfigError(
            f"catalog.source: no audio files in {root}: found {found}; expected {' '.join(config.extensions)} "
            "(catalog.extensions)"
        )
    below = len(os.path.join(root, ""))
    return {"path": paths, "relative": [path[below:].replace(os.sep, "/") for path in paths]}


def _may_enter(folder: str, listed: list[str]) -> bool:
    if os.path.basename(folder).startswith("."):
        return False
    if os.path.islink(folder):
        real = os.path.join(os.path.realpath(folder), "")
        if any(real.startswith(other) or other.startswith(real) for other in listed):
            return False
        listed.append(real)
    return True
