"""The plan of the demo catalog: styles, artists, formats and faults in the numbers that the demo states."""

from collections import Counter

from audioae.demo.config import SynthConfig
from audioae.demo.plan import plan_catalog


def test_the_plan_has_every_style_format_rate_and_fault():
    config = SynthConfig()
    pieces, strays = plan_catalog(config)
    faults = Counter(piece.fault for piece in pieces)
    assert len(pieces) - faults["truncated"] >= 160
    assert {piece.format for piece in pieces if piece.fault == "truncated"} == {"mp3", "ogg", "wav", "flac"}
    assert faults["mislabeled"] == 9
    assert faults["clipped"] == 4
    assert Counter(copy.kind for piece in pieces for copy in piece.copies) == {
        "duplicate_exact": 4,
        "duplicate_reencoded": 4,
    }
    assert Counter(stray.kind for stray in strays) == {"silent": 2, "garbage": 3}
    assert all(config.min_s <= piece.duration_s <= config.max_s for piece in pieces)
    assert {piece.channels for piece in pieces} == {1, 2}
    assert {piece.sample_rate for piece in pieces} == {44_100, 48_000}


def test_every_style_has_several_artists_and_no_artist_or_path_occurs_twice():
    pieces, _ = plan_catalog(SynthConfig())
    artists = {(piece.true_label, piece.artist) for piece in pieces}
    assert min(Counter(label for label, _ in artists).values()) >= 3
    assert len({artist for _, artist in artists}) == len(artists)
    paths = [piece.path for piece in pieces] + [copy.path for piece in pieces for copy in piece.copies]
    assert len(set(paths)) == len(paths)


def test_a_plan_without_faults_has_none():
    pieces, strays = plan_catalog(SynthConfig(faults=False))
    assert not strays
    assert not any(piece.fault or piece.copies for piece in pieces)
    assert all(piece.label == piece.true_label for piece in pieces)
