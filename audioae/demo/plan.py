"""Plan the demo catalog: which artist plays which track, under which name, in which file, and with which fault.

Why the plan comes first: an interrupted synthesis can resume, and formats, sample rates and faults are dealt at random,
independently of style and artist, so that none of them predicts the style.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audioae.demo import names
from audioae.demo.config import SynthConfig
from audioae.demo.styles import load_styles

TRACKS_PER_ARTIST = 4
FORMATS = {"mp3": 0.34, "flac": 0.22, "ogg": 0.2, "m4a": 0.14, "wav": 0.1}
CUTTABLE = ("mp3", "ogg", "wav", "flac")  # formats that still decode without their end

Fault = Literal["", "mislabeled", "clipped", "truncated"]
CopyKind = Literal["duplicate_exact", "duplicate_reencoded"]
StrayKind = Literal["silent", "garbage"]


@dataclass(frozen=True)
class Copy:
    """A second file of the same track."""

    path: str
    kind: CopyKind
    album: str

    @property
    def format(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Piece:
    """One track to compose, and its place in the catalog."""

    style: int
    artist_number: int
    number: int  # within the artist
    title: str
    artist: str
    album: str
    track_number: int
    year: int
    label: str
    format: str
    sample_rate: int
    channels: int
    duration_s: float
    fault: Fault = ""
    copies: tuple[Copy, ...] = ()

    @property
    def true_label(self) -> str:
        return load_styles()[self.style].label

    @property
    def path(self) -> str:
        return f"{self.artist}/{self.album}/{self.track_number:02d} {self.title}.{self.format}"


@dataclass(frozen=True)
class Stray:
    """A file without music."""

    path: str
    kind: StrayKind
    content: Literal["zeros", "faint noise", "random bytes", "text", "nothing"]


def plan_catalog(config: SynthConfig) -> tuple[list[Piece], list[Stray]]:
    """Lay out the whole catalog.

    >>> pieces, strays = plan_catalog(SynthConfig(n_tracks=24))
    >>> len(pieces), len({piece.true_label for piece in pieces}), len(strays)
    (24, 12, 5)
    """
    rng = np.random.default_rng([config.seed, 1])
    pieces = _pieces(config, rng)
    if not config.faults:
        return pieces, []
    return _with_faults(pieces, rng), _strays(pieces, rng)


def _pieces(config: SynthConfig, rng: np.random.Generator) -> list[Piece]:
    n = config.n_tracks
    formats = _deal(FORMATS, n, rng)
    rates = _deal({44_100: 0.9, 48_000: 0.1}, n, rng)
    channels = _deal({2: 0.88, 1: 0.12}, n, rng)
    artists, titles = set(), set()
    pieces, styles = [], load_styles()
    for style, entry in enumerate(styles):
        n_style = n // len(styles) + (style < n % len(styles))
        n_artists = -(-n_style // TRACKS_PER_ARTIST)
        for artist_number in range(n_artists):
            artist, since = names.artist_name(entry.label, artists, rng), int(rng.integers(1978, 2022))
            albums = [names.title(titles, rng) for _ in range(2)]
            n_tracks = n_style // n_artists + (artist_number < n_style % n_artists)
            n_first = int(rng.integers(n_tracks // 2, n_tracks + 1))  # on the first album; some artists have one album
            for number in range(n_tracks):
                second = number >= n_first
                i = len(pieces)
                pieces.append(
                    Piece(
                        style,
                        artist_number,
                        number,
                        names.title(titles, rng),
                        artist,
                        albums[second],
                        number + 1 - n_first * second,
                        since + 3 * second,
                        entry.label,
                        str(formats[i]),
                        int(rates[i]),
                        int(channels[i]),
                        round(float(rng.uniform(config.min_s, config.max_s)), 2),
                    )
                )
    return pieces


def _with_faults(pieces: list[Piece], rng: np.random.Generator) -> list[Piece]:
    """Plant wrong labels (5 %), duplicates (5 %), clipping (2 %) and a truncated file per format; one fault a track."""
    n = len(pieces)
    out, left = list(pieces), [int(i) for i in rng.permutation(n)]
    for fmt in CUTTABLE[: max(1, n // 12)]:
        i = next((i for i in left if pieces[i].format == fmt), left[0])
        left.remove(i)
        out[i] = replace(pieces[i], fault="truncated")
    for _ in range(max(1, round(0.02 * n))):
        i = left.pop()
        out[i] = replace(pieces[i], fault="clipped")
    for _ in range(max(1, round(0.05 * n))):
        i = left.pop()
        others = [style.label for style in load_styles() if style.label != pieces[i].label]
        out[i] = replace(pieces[i], fault="mislabeled", label=str(rng.choice(others)))
    album = "Now and Then"
    for number in range(1, 2 * max(1, round(0.025 * n)) + 1):
        i = left.pop()
        exact = number % 2 == 1
        fmt = (
            pieces[i].format if exact else str(rng.choice([f for f in ("mp3", "ogg", "m4a") if f != pieces[i].format]))
        )
        kind: CopyKind = "duplicate_exact" if exact else "duplicate_reencoded"
        path = f"Various Artists/{album}/{number:02d} {pieces[i].artist} - {pieces[i].title}.{fmt}"
        out[i] = replace(pieces[i], copies=(Copy(path, kind, album),))
    return out


def _strays(pieces: list[Piece], rng: np.random.Generator) -> list[Stray]:
    folders = sorted({piece.path.rpartition("/")[0] for piece in pieces})

    def somewhere(name: str) -> str:
        return f"{rng.choice(folders)}/{name}"

    return [
        Stray(somewhere("90 Hidden Track.flac"), "silent", "zeros"),
        Stray(somewhere("91 Pregap.mp3"), "silent", "faint noise"),
        Stray(somewhere("92 Bonus.mp3"), "garbage", "random bytes"),
        Stray(somewhere("93 Notes.flac"), "garbage", "text"),
        Stray(somewhere("94 Unfinished.ogg"), "garbage", "nothing"),
    ]


def _deal(shares: dict, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` shuffled values in the given shares."""
    bounds = np.cumsum(list(shares.values())) * n
    deck = np.array(list(shares))[np.searchsorted(bounds, np.arange(n) + 0.5).clip(max=len(shares) - 1)]
    return rng.permutation(deck)
