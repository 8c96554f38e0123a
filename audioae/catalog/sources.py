"""The source of a catalog: its config."""

import os
from collections.abc import Mapping
from string import Formatter
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from audioae.audio.remote import is_remote
from audioae.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from audioae.catalog.file_kinds import special_kind
from audioae.catalog.tag_config import TagLimits
from audioae.config import Config
from audioae.errors import ConfigError

Claim = Literal["track_id", "title", "artist", "album", "label", "split", "year", "added_at", "isrc", "musicbrainz_id"]
CLAIMS: tuple[Claim, ...] = get_args(Claim)
FileClaim = Literal["content_hash", "audio_hash", "size_bytes", "modified_ns", "duration_s"]
FILE_CLAIMS: tuple[FileClaim, ...] = get_args(FileClaim)

MANIFEST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet")
_MANIFEST = "a manifest: .csv, .tsv, .jsonl (each also .gz) or .parquet"
_INSTEAD = {
    **dict.fromkeys((".m3u", ".m3u8", ".pls", ".xspf", ".cue"), "A playlist: name the folder of its files"),
    **dict.fromkeys((".xls", ".xlsx", ".ods", ".numbers"), "A spreadsheet: save it as CSV (UTF-8)"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst"), "An archive: unpack it"),
    ".json": "Write one object per line, and call the file .jsonl",
    ".txt": "Call a list of paths .csv, with `path` as its first line",
    ".ndjson": "Call it .jsonl",
}
_OF_MANIFESTS = ("columns", "root", "follow_outside", "path_template", "id_width", "where", "header_rows")
_OF_FOLDERS = ("video", "exclude")
_OF_READING = {"tag_encoding", "tag_limits", "label_separators", "label_from"}


class CatalogConfig(Config):
    """Where the tracks are. For examples, see configs/catalog/.

    source : a folder, whose files' tags are read; or a manifest (.csv, .tsv, .jsonl, each also .gz, or .parquet). A
        folder may be remote (s3://, gs://, az://, http://, https://), and so may the paths of a manifest.
    extensions : the file name extensions of audio, in a folder; default: all that the decoders read.
    video : in a folder, also take the sound of video files.
    exclude : in a folder, globs of what is left out, such as ["Podcasts", "*/Demos/*.wav"]; see `catalog.exclusion`.
    max_loss : a scan that lost more than this share of the tracks, or a whole folder of them, is refused; 1: none is.
    tag_encoding : the encoding of tags that do not declare one (ID3 "Latin-1", RIFF INFO), such as cp1251 or gbk.
    tag_limits : see `TagLimits`.
    label_separators : characters at which a label is split into several, such as "/;"; default: none.
    label_from : in a folder, take the label from the genre in the tags, or from the name of the file's folder.
    columns : in a manifest, a map from our column names to its column names; default: the same names. What stands for
        reading a file (content_hash, audio_hash, size_bytes, modified_ns, duration_s) is taken only if it is named.
    root : the folder that a manifest's paths are relative to; default: the manifest's folder.
    follow_outside : allow a manifest's relative paths to lead out of the root ("../x.wav").
    path_template : the path as a pattern of other columns, if a manifest has no paths: "{track_id:.3}/{track_id}.mp3".
    id_width : pad the manifest's track IDs with zeros to this many digits.
    where : keep only rows with this value, or one of these values, in a column of the manifest.
    header_rows : number of rows of a CSV that name its columns; their cells are joined by "." ("track.title").
    shard_tracks, min_shards : the most tracks per shard, and the least number of shards; see `pipeline.shards`.
    """

    source: str = Field(min_length=1)
    extensions: tuple[str, ...] = Field(default=AUDIO_SUFFIXES, min_length=1)
    video: bool = False
    exclude: tuple[str, ...] = ()
    max_loss: float = Field(default=0.05, ge=0, le=1)
    tag_encoding: str | None = None
    tag_limits: TagLimits = TagLimits()
    label_separators: str = ""
    label_from: Literal["tags", "folder"] = "tags"
    columns: dict[Claim | FileClaim | Literal["path"], str] = Field(default_factory=dict)
    root: str | None = None
    follow_outside: bool = False
    path_template: str | None = None
    id_width: int = Field(default=0, ge=0, le=32)
    where: dict[str, str | list[str]] = Field(default_factory=dict)
    header_rows: int = Field(default=1, ge=1, le=5)
    shard_tracks: int = Field(default=10_000, ge=1)
    min_shards: int = Field(default=16, ge=1)

    @property
    def is_manifest(self) -> bool:
        return self.source.lower().endswith(MANIFEST_SUFFIXES)

    @property
    def is_remote(self) -> bool:
        """Whether the source is a prefix of a bucket or a page of a web server."""
        return is_remote(self.source)

    @property
    def trusts_hashes(self) -> bool:
        """Whether the manifest says what is in its files, so that they are neither opened nor looked at."""
        return "content_hash" in self.columns

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The file name extensions that a folder is searched for."""
        return self.extensions + (VIDEO_SUFFIXES if self.video else ())

    def reads_as(self, before: Mapping[str, Any]) -> bool:
        """Whether files are read as with the settings `before` (JSON); the others only choose tracks or shards."""
        settings = self.model_dump(mode="json", include=_OF_READING)
        same_kind = str(before.get("source")).lower().endswith(MANIFEST_SUFFIXES) == self.is_manifest
        return same_kind and all(before.get(name) == value for name, value in settings.items())

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
            raise ValueError(f"{', '.join(wrong)}: only for a manifest, but {self.source} is not {_MANIFEST}")
        if self.is_manifest and (wrong := [name for name in _OF_FOLDERS if name in self.model_fields_set]):
            raise ValueError(f"{', '.join(wrong)}: only for a folder, but {self.source} is a manifest; use where")
        claimed = [name for name in FILE_CLAIMS if name in self.columns]
        if claimed and not self.trusts_hashes:
            raise ValueError(
                f"columns: {', '.join(claimed)}: only together with content_hash; without it the files are read"
            )
        if self.is_manifest and self.label_from == "folder":
            raise ValueError(f"label_from: only for a folder, but {self.source} is a manifest; set columns.label")
        return self


def require_source(config: CatalogConfig) -> str:
    """The absolute path of `config.source`, or its address. Raises `ConfigError` if there is no such source."""
    if config.is_remote:
        if config.is_manifest:
            raise ConfigError(
                f"catalog.source: {config.source}: a manifest must be on this machine; copy it here (its paths may be "
                "URIs)"
            )
        return config.source.rstrip("/")
    path = os.path.abspath(os.path.expanduser(config.source))
    if config.is_manifest and not os.path.isfile(path):
        kind = special_kind(path)
        problem = f"{path} is a {kind}" if kind else f"file not found: {path}"
        raise ConfigError(f"catalog.source: {problem}. Expected {_MANIFEST}.")
    if not config.is_manifest and os.path.isfile(path):
        suffix = os.path.splitext(path)[1].lower()
        instead = _INSTEAD.get(suffix, "A file of audio: name its folder" if suffix in config.suffixes else "")
        raise ConfigError(
            f"catalog.source: {path} is a file that is not read ({suffix or 'no suffix'}). "
            f"{instead and instead + '. '}Expected a folder of audio files, or {_MANIFEST}."
        )
    if not config.is_manifest and not os.path.isdir(path):
        raise ConfigError(
            f"catalog.source: folder not found: {path}. Expected a folder of audio files, or {_MANIFEST}."
        )
    return path
