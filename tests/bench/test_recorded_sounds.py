"""The manifests of recordings that Debian ships, from folders that look like theirs."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from tests.bench import recorded_sounds
from tests.bench.bench_quality import Sounds


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hhclosed_01", "closed hat"),
        ("hhop_2", "open hat"),
        ("EE_Hat_Op_Dirty", "open hat"),
        ("openhat2", "open hat"),
        ("pedalhihat", "pedal hat"),
        ("bassdrum-4mics-soft2", "kick"),
        ("rs_01", "snare"),
        ("ft_03", "tom"),
        ("crash16i__ride2", "crash"),
        ("Djembe1 Slap", "hand drum"),
        ("emptySample_hat", None),
        ("README", None),
    ],
)
def test_the_kind_of_a_drum_is_read_from_its_name(name, kind):
    assert recorded_sounds.kind_of(name) == kind


def test_voices_with_enough_files_are_sampled_the_same_each_time(tmp_path, monkeypatch):
    for name, n in (("letters/de/alpha", 30), ("letters/tn/alpha", 19)):
        (tmp_path / name).mkdir(parents=True)
        for k in range(n):
            (tmp_path / name / f"{k}.ogg").touch()
    for k in range(25):
        (tmp_path / f"{k}_desc_fr.ogg").touch()
        (tmp_path / f"{k}.ogg").touch()  # the thing's own sound
    monkeypatch.setattr(recorded_sounds, "LETTERS", tmp_path / "letters")
    monkeypatch.setattr(recorded_sounds, "THINGS", tmp_path)
    assert recorded_sounds.make_voices(tmp_path / "one") == 40
    rows = read(tmp_path / "one" / "voices.csv")
    assert Counter(row["label"] for row in rows) == {"letters de": 20, "things fr": 20}
    assert len({row["path"] for row in rows}) == 40
    recorded_sounds.make_voices(tmp_path / "other")
    assert read(tmp_path / "other" / "voices.csv") == rows


def test_a_kit_gives_a_few_hits_of_each_kind_and_is_the_artist(tmp_path, monkeypatch):
    for kit, n in (("loud", 12), ("quiet", 3)):
        (tmp_path / "kits" / kit).mkdir(parents=True)
        for name in (*(f"snare_{k}.flac" for k in range(n)), "kick.wav", "kick.txt", "beats_01.flac"):
            (tmp_path / "kits" / kit / name).touch()
    monkeypatch.setattr(recorded_sounds, "KITS", tmp_path / "kits")
    assert recorded_sounds.make_drums(tmp_path) == 13
    kinds = Counter((row["label"], row["artist"]) for row in read(tmp_path / "drums.csv"))
    assert kinds == {("snare", "loud"): 8, ("snare", "quiet"): 3, ("kick", "loud"): 1, ("kick", "quiet"): 1}


def test_what_a_catalog_lacks_is_named(tmp_path):
    catalog = Sounds(lambda folder: 0, "some.csv", ("sh", "no-such-program", tmp_path, tmp_path / "nowhere"))
    assert catalog.missing == f"no-such-program, {tmp_path / 'nowhere'}"
