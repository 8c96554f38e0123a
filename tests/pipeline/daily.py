"""A small catalog of real files, with a chain that counts what it decodes and embeds."""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from mutagen.id3 import ID3, TIT2

from audioae.catalog.scan import CatalogConfig
from audioae.errors import AudioError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.weights import model_from_bytes, model_to_bytes
from audioae.pipeline import embed
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.pipeline.tracks import update_tracks
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


class Day(NamedTuple):
    """What one run did, and the catalog after it."""

    decoded: list[str]  # file names
    embedded: int
    tracks: dict[str, dict[str, Any]]  # by file name
    embeddings: dict[str, bytes]  # by track_id
    version: DatasetRef


def write_track(path: Path, seed: int) -> Path:
    """Write a second of noise, different for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_noise(seed))
    return path


@cache
def _noise(seed: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.2 * np.random.default_rng(seed).standard_normal(22_050), 22_050, format="MP3")
    return file.getvalue()


def retag(path: Path, title: str) -> None:
    """Give an mp3 another title."""
    tags = ID3()
    tags.add(TIT2(encoding=3, text=[title]))
    tags.save(path)


@cache
def _weights() -> bytes:
    return model_to_bytes(build_model(ModelConfig()))


@cache
def _embedder() -> Embedder:
    return Embedder(model_from_bytes(_weights()))


class Daily:
    """A folder `music`, and its store.

    Parameters
    ----------
    folder : Path
    monkeypatch : pytest.MonkeyPatch
    n : int
        Number of files at first: `a00.mp3`, `a01.mp3` ...
    stored : int, optional
        `max_stored_tracks` of the mels: 1 stores one shard, None all.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, n: int = 12, stored: int | None = None):
        self.music, self.root = folder / "music", str(folder / "store")
        self.source: Path | None = None  # a manifest instead of the folder
        self.decoded: list[str] = []
        self.embedded = 0
        self.failing: dict[str, str] = {}  # reasons of failure by file name
        self.mels = MelsConfig(max_stored_tracks=stored)
        self.options: dict[str, Any] = {"min_shards": 3, "shard_tracks": 1024, "max_loss": 1}
        self.workers = Workers()
        self.max_reject_rate = 0.5
        for i in range(n):
            write_track(self.music / f"a{i:02d}.mp3", i)
        files = {"model.safetensors": _weights()}
        self.model = commit_artifact(self.store, "model", files, derived={}, recipe="made", config={}, parents=[])
        monkeypatch.setattr("audioae.audio.workers.imap_killable", self._decode)
        monkeypatch.setattr(embed, "_embedder", lambda root, model: _embedder())
        monkeypatch.setattr(embed, "embed_tracks", self._counting(embed.embed_tracks))

    @property
    def store(self) -> Store:
        return Store(self.root)

    def catalog(self) -> DatasetRef:
        """The stage catalog alone."""
        return update_tracks(self.store, CatalogConfig(source=str(self.source or self.music), **self.options))

    def run(self) -> Day:
        """All stages that decode or embed."""
        self.decoded, self.embedded = [], 0
        store, tracks = self.store, self.catalog()
        retry = self.workers.retry
        pending = pending_mels(store, self.mels, tracks, retry)
        compute_mels(store, self.mels, tracks, pending, self.workers)
        commit_mels(store, self.mels, tracks, max_reject_rate=self.max_reject_rate)
        pending = pending_embeddings(store, self.mels, tracks, self.model, retry)
        compute_embeddings(store, self.mels, tracks, self.model, pending, self.workers)
        version = commit_embeddings(store, self.mels, tracks, self.model, max_reject_rate=self.max_reject_rate)
        rows = {Path(row["uri"]).name: row for row in store.read(tracks).to_pylist()}
        table = store.read(version)
        vectors = table["embedding"].to_pylist()
        embeddings = {t: np.float32(v).tobytes() for t, v in zip(table["track_id"].to_pylist(), vectors, strict=True)}
        return Day(self.decoded, self.embedded, rows, embeddings, version)

    def _decode(self, function: Any, items: Any, **_: Any) -> Iterator[tuple[Any, Any]]:
        for key, arguments in items:
            name = Path(arguments[0]).name
            self.decoded.append(name)
            try:
                if name in self.failing:
                    raise AudioError(self.failing[name], "made to fail")
                yield key, function(*arguments)
            except AudioError as error:
                yield key, error

    def _counting(self, embed_tracks: Any) -> Any:
        def count(mels: Any, embedder: Any) -> Any:
            table = embed_tracks(mels, embedder)
            self.embedded += table.num_rows
            return table

        return count
