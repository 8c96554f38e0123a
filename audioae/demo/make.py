"""Write the files of the catalog: a track with its copies, or a file without music.

Why existing files are kept: running the same jobs again completes an interrupted catalog.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audioae.demo import oscillators as osc
from audioae.demo.compose import Score, compose, make_sound
from audioae.demo.config import SynthConfig
from audioae.demo.encode import encode
from audioae.demo.energy import energy
from audioae.demo.plan import Copy, Piece, Stray
from audioae.demo.render import render
from audioae.demo.styles import load_styles
from audioae.demo.variety import sings, vary


@dataclass
class Records:
    """The rows of one job for truth.csv and planted.json."""

    truth: list[dict[str, Any]] = field(default_factory=list)
    planted: list[dict[str, Any]] = field(default_factory=list)


def make_piece(folder: Path, config: SynthConfig, piece: Piece) -> Records:
    """Write a track and its copies, except files that exist."""
    score, records = make_score(config, piece), Records()
    draw = _rng(config, piece, 4).uniform
    quality, copy_quality, kept_share, gain_db = draw(0.45, 0.9), draw(0.1, 0.4), draw(0.3, 0.6), draw(12, 18)

    def original() -> bytes:
        mix = _mix(score, config, piece)
        if piece.fault == "clipped":
            mix = np.clip(mix * np.float32(10 ** (gain_db / 20)), -1, 1)
        content = encode(mix, piece.sample_rate, piece.format, quality, _tags(piece))
        return content[: int(kept_share * len(content))] if piece.fault == "truncated" else content

    def copied(copy: Copy) -> bytes:
        if copy.kind == "duplicate_exact":
            return (folder / piece.path).read_bytes()
        tags = _tags(piece) | {"album": copy.album}
        return encode(_mix(score, config, piece), piece.sample_rate, copy.format, copy_quality, tags)

    _fill(folder / piece.path, original)
    for copy in piece.copies:
        _fill(folder / copy.path, partial(copied, copy))
        records.planted.append(_planted(copy.path, copy.kind, of=piece.path, format=copy.format))
    if piece.fault == "mislabeled":
        records.planted.append(_planted(piece.path, piece.fault, label=piece.label, true_label=piece.true_label))
    elif piece.fault == "clipped":
        records.planted.append(_planted(piece.path, piece.fault, gain_db=round(gain_db, 2)))
    elif piece.fault == "truncated":
        kept = {"kept_share": round(kept_share, 3), "full_s": piece.duration_s}
        records.planted.append(_planted(piece.path, piece.fault, format=piece.format, **kept))
    if piece.fault != "truncated":
        records.truth.append(_truth(config, piece, score))
    return records


def make_stray(folder: Path, config: SynthConfig, stray: Stray) -> Records:
    """Write a file without music, unless it exists."""
    rng, n = np.random.default_rng([config.seed, 6]), 20 * 44_100
    artist, album, name = stray.path.split("/")
    title, _, fmt = name[3:].rpartition(".")
    tags = {"title": title, "artist": artist, "album": album}
    content = {
        "zeros": lambda: encode(np.zeros((2, n), np.float32), 44_100, fmt, 0.5, tags),
        "faint noise": lambda: encode(osc.noise(2 * n, rng).reshape(2, n) * np.float32(2e-5), 44_100, fmt, 0.5, tags),
        "random bytes": lambda: rng.bytes(200_000),
        "text": lambda: b"Recording notes: second take is better, the tape ran out at the end of the third.\n" * 40,
        "nothing": lambda: b"",
    }[stray.content]
    _fill(folder / stray.path, content)
    return Records(planted=[_planted(stray.path, stray.kind, content=stray.content)])


def make_score(config: SynthConfig, piece: Piece) -> Score:
    """Compose one track of the catalog; the artist's sound is the same on all of the artist's tracks."""
    style = load_styles()[piece.style]
    sound = make_sound(style, _artist_rng(config, piece, 2))
    if config.purpose == "evaluation":
        sung = sings(piece.number, _artist_rng(config, piece, 7))
        style, sound = vary(style, sound, sung, _rng(config, piece, 8))
    return compose(style, sound, piece.duration_s, _rng(config, piece, 3))


def _artist_rng(config: SynthConfig, piece: Piece, purpose: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, purpose, piece.style, piece.artist_number])


def _rng(config: SynthConfig, piece: Piece, purpose: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, purpose, piece.style, piece.artist_number, piece.number])


def _mix(score: Score, config: SynthConfig, piece: Piece) -> np.ndarray:
    mix = render(score, piece.sample_rate, _rng(config, piece, 5))
    return mix if piece.channels == 2 else mix.mean(axis=0, keepdims=True)


def _tags(piece: Piece) -> dict[str, str]:
    return {
        "title": piece.title,
        "artist": piece.artist,
        "album": piece.album,
        "genre": piece.label,
        "date": str(piece.year),
        "tracknumber": str(piece.track_number),
    }


def _planted(path: str, kind: str, **details: Any) -> dict[str, Any]:
    return {"path": path, "kind": kind, "details": details}


def _truth(config: SynthConfig, piece: Piece, score: Score) -> dict[str, Any]:
    planned = ("path", "title", "artist", "album", "label", "true_label", "year")
    evaluated = config.purpose == "evaluation"
    return {name: getattr(piece, name) for name in planned} | {
        "tempo_bpm": score.tempo,
        "key": score.key.name,
        "mode": score.key.mode,
        "energy": energy(score) if evaluated else score.energy,
        "instrumentalness": float(not score.sung) if evaluated else score.instrumentalness,
        "instruments": ";".join(score.instruments),
        "duration_s": piece.duration_s,
        "format": piece.format,
    }


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a reader never sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _fill(path: Path, content: Callable[[], bytes]) -> None:
    if not path.is_file():
        write_whole(path, content())
