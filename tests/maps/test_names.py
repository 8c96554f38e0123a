"""Names of regions: what distinguishes them, as text."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.maps.names import LONGEST, name_regions, one_line, traits_of

HOSTILE = '<img src=x onerror="alert(1)">\n\u202e"; DROP TABLE'


def test_what_is_frequent_only_here_distinguishes():
    region = np.repeat([0, 1, 2], 40)
    labels = pa.array(["Rock"] * 30 + ["Pop"] * 10 + ["House"] * 30 + ["Pop"] * 10 + [HOSTILE] * 25 + [None] * 15)
    traits = traits_of(region, {"label": labels})
    (rock,) = traits[0]
    assert (rock["column"], rock["value"], rock["n"], rock["share"]) == ("label", "Rock", 30, 0.75)
    assert rock["lift"] == pytest.approx(105 / 40), "105 tracks have a label"
    assert [trait["value"] for trait in traits[1]] == ["House"], "Pop is as frequent elsewhere"
    assert (traits[2][0]["value"], traits[2][0]["share"]) == (HOSTILE, 1), "of those that have a label"


def test_a_label_of_many_comes_before_an_artist_of_few():
    region = np.repeat([0, 1], 50)
    artists = pa.array(["A"] * 15 + ["B"] * 85)
    labels = pa.array(["Rock"] * 45 + ["Pop"] * 55)
    found = traits_of(region, {"artist": artists, "label": labels})[0]
    assert [trait["value"] for trait in found] == ["Rock", "A"]
    assert found[1]["lift"] == 2


def test_chance_names_nothing():
    rng = np.random.default_rng(0)
    region, label = rng.integers(0, 50, 20_000), rng.integers(0, 60, 20_000)
    found = traits_of(region, {"label": pa.array([f"label {i}" for i in label])})
    assert sum(map(len, found.values())) <= 1, "of 3,000 pairs"
    assert traits_of(np.array([0, 1]), {"label": pa.nulls(2, pa.string())}) == {0: [], 1: []}
    assert traits_of(np.array([0, 1, 1]), {"label": pa.array(["a"] * 3)}) == {0: [], 1: []}, "all have it"


def test_names_are_unique_lines_of_text():
    trait = {"column": "label", "value": HOSTILE}
    names = name_regions(range(5), {i: [trait] for i in range(5)})
    assert len({*names.values()}) == 5
    assert names[0] == '<img src=x onerror="alert(1)"> "; DROP TABLE'
    assert all(name.isprintable() and len(name) <= LONGEST for name in names.values())
    assert name_regions([7, 8], {7: [], 8: [{"value": "Region 7"}]}) == {7: "Region 7", 8: "Region 7 8"}
    blank = name_regions([0, 1], {0: [{"value": "\u200b"}], 1: [{"value": " "}]})
    assert len({*blank.values()}) == 2
    assert all(blank.values())


def test_long_names_that_begin_alike_stay_unique():
    names = name_regions(range(3), {i: [{"value": 100 * "x"}] for i in range(3)})
    assert len({*names.values()}) == 3


def test_one_line_keeps_what_can_be_printed():
    assert one_line("  Édith\tPiaf \x1b[31m 日本 ") == "Édith Piaf [31m 日本"
