"""Statistics of selections, against pandas and numpy."""

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.explore import selection as module
from audioae.explore.mapped_tracks import MAX_ROWS
from audioae.explore.numbers import Moments, effect
from audioae.explore.polygon import MAX_VERTICES
from audioae.library.filters import Filters
from tests.explore.made_map import add_map
from tests.explore.test_track_map import frame_of
from tests.stores import made_store

STYLE_0 = Filters(label=["style 0"], deny=["t50", "t51"])  # without copies with the same bytes as other tracks
LOWER = [[-1, -1], [8, -1], [8, 2.5], [-1, 2.5]]


def test_a_polygon_selects_what_is_inside_of_it(mapped: Library):
    opened, frame = mapped.map(), frame_of(mapped)
    assert opened.select(LOWER).rows.tolist() == frame.index[frame["y"] <= 2].tolist()
    filtered = opened.select(LOWER, filters=STYLE_0)
    assert filtered.rows.tolist() == frame.index[(frame["y"] <= 2) & (frame["label"] == "style 0")].tolist()
    assert opened.select(rows=[9, 3, 3], filters=STYLE_0).rows.tolist() == [
        row for row in (3, 9) if frame["label"][row] == "style 0"
    ]
    assert len(opened.select()) == 55
    assert len(opened.select(filters=Filters(year=(1800, 1801)))) == 0


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"polygon": [[0, 0], [1, 1]]}, r"polygon: got shape \(2, 2\), wanted 3 to 2,000 pairs"),
        ({"polygon": [[0, 0]] * (MAX_VERTICES + 1)}, r"polygon: got shape \(2001, 2\)"),
        ({"polygon": [[0, 0], [1, 1], [np.nan, 1]]}, "polygon: got a vertex beyond 1e"),
        ({"polygon": [[0, 0], [1, 1], [1e300, 1]]}, "polygon: got a vertex beyond 1e"),
        ({"rows": [1, 55]}, "rows: got 55, wanted 0 to 54; load the map again"),
        ({"rows": [-1, 5]}, "rows: got -1, wanted 0 to 54"),
        ({"rows": np.arange(MAX_ROWS + 1)}, "rows: got 100,001, wanted 100,000 at most; draw a polygon"),
    ],
)
def test_what_cannot_be_selected(mapped: Library, wanted, sentence: str):
    with pytest.raises(SearchError, match=sentence):
        mapped.map().select(**wanted)


@pytest.mark.parametrize("name", ["label", "artist", "region"])
def test_shares_and_lifts_are_those_of_pandas(mapped: Library, name: str):
    frame = frame_of(mapped)
    frame["region"] = frame["region"].map({0: "high land", 4: "low <b>land</b>"})
    chosen = frame[frame["y"] <= 2]
    got = {share.value: share for share in mapped.map().select(LOWER).shares(name, 100)}
    counts = chosen[name].value_counts()
    assert {value: share.n for value, share in got.items()} == counts.to_dict()
    assert [share.n for share in got.values()] == sorted(counts, reverse=True)
    for value, share in got.items():
        assert share.share == pytest.approx(counts[value] / len(chosen))
        assert share.lift == pytest.approx(share.share / (frame[name] == value).mean())


def test_features_are_effects_against_all_other_tracks(mapped: Library):
    opened, frame = mapped.map(), frame_of(mapped)
    features = {feature.name: feature for feature in opened.select(LOWER).features}
    inside = frame["y"] <= 2
    for name in ("year", "duration_s", "energy"):
        wanted = effect(
            Moments.of(frame[name][inside].to_numpy(float)), Moments.of(frame[name][~inside].to_numpy(float))
        )
        got = features[name]
        assert wanted is not None
        assert (got.effect, got.low, got.high) == pytest.approx(wanted, rel=1e-4)
        assert got.value == pytest.approx(frame[name][inside].mean())
        assert got.catalog == pytest.approx(frame[name].mean())
        assert got.n == frame[name][inside].notna().sum()
    sizes = [abs(feature.effect) for feature in features.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert "spread" not in features  # equal for all
    assert opened.select().features == []  # there is no other track
    assert opened.select(rows=[3]).features == []


def test_typical_is_close_to_the_mean_and_odd_far_from_it(mapped: Library):
    opened = mapped.map()
    chosen = opened.select(LOWER)
    embeddings = mapped.index.embeddings(opened.rows.index_row[chosen.rows])
    mean = embeddings.mean(axis=0)
    cosines = embeddings @ mean / np.linalg.norm(embeddings, axis=1) / np.linalg.norm(mean)
    order = chosen.rows[np.argsort(-cosines)].tolist()
    groups = mapped.alignment.group[opened.rows.index_row]
    typical, odd = chosen.typical, chosen.odd
    assert typical.rows == first_of_each(order, groups)[:12]
    rest = [row for row in reversed(order) if row not in typical.rows]
    assert odd.rows == first_of_each(rest, groups)[:12]
    by_row = dict(zip(chosen.rows.tolist(), cosines.tolist(), strict=True))
    assert typical.scores + odd.scores == pytest.approx([by_row[row] for row in typical.rows + odd.rows], abs=1e-6)


def first_of_each(rows: list[int], groups: np.ndarray) -> list[int]:
    """Rows whose group no earlier row has."""
    return [row for place, row in enumerate(rows) if groups[row] not in groups[rows[:place]]]


@pytest.mark.parametrize(("n", "typical", "odd"), [(0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 2, 1), (30, 12, 12)])
def test_no_track_is_typical_and_odd(mapped: Library, n: int, typical: int, odd: int):
    rows = [row for row in range(55) if row not in mapped.map().rows_of(["t30", "t31", "t40"])]  # copies
    chosen = mapped.map().select(rows=rows[:n])
    assert (len(chosen.typical.rows), len(chosen.odd.rows)) == (typical, odd)
    assert not {*chosen.typical.rows} & {*chosen.odd.rows}


def test_of_many_tracks_evenly_spaced_ones_are_compared(mapped: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SAMPLE", 10)
    chosen = mapped.map().select()
    assert (len(chosen), chosen.sampled) == (55, 10)
    assert {*chosen.typical.rows, *chosen.odd.rows} <= {*range(0, 55, 5), *(55 * i // 10 for i in range(10))}


LABELS = {
    "one that most have": (["rock"] * 18 + ["jazz"] * 2, ("rock", 18, 0.9, 0.9)),
    "one that most of the labeled have": (["rock"] * 9 + [None] * 11, ("rock", 9, 0.45, 1.0)),
    "whatever its case": (["rock"] * 5 + ["Rock"] * 13 + ["jazz"] * 2, ("Rock", 18, 0.9, 0.9)),
    "half": (["rock"] * 10 + ["jazz"] * 10, None),
    "just above half, which may be chance": (["rock"] * 12 + ["jazz"] * 8, None),
    "too few": (["rock"] * 4 + [None] * 16, None),
    "none": ([None] * 20, None),
}


@pytest.mark.parametrize("case", LABELS)
def test_a_label_is_suggested_if_it_holds_clearly(tmp_path, case: str):
    labels, wanted = LABELS[case]
    store = made_store(tmp_path, 20, columns={"label": labels})
    add_map(store)
    assert Library(store).map().select().suggestion == wanted


def test_a_store_without_labels_has_no_shares_of_them(tmp_path):
    store = made_store(tmp_path, 20, columns={"label": [None] * 20})
    add_map(store)
    chosen = Library(store).map().select()
    assert chosen.shares("label") == []
    assert "label" not in chosen.map.columns.present
