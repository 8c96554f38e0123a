"""Accounting, training, exposure and the gate show the store's numbers."""

import re

import pytest

from audioae.library.track_metadata import make_metadata
from audioae.pages import store_sections
from tests.pages.made import nameless, star, text_of, unavailable
from tests.pages.report_data import CHECK, GATE, LOG, SUMS


def test_states_are_shares_of_the_catalog():
    body = store_sections.accounting(SUMS, []).body
    assert re.findall(r"(\d+\.\d) %", body) == ["80.0", "5.0", "10.0", "5.0", "0.0"]
    assert "<td>20</td>" in body
    assert "Rejected tracks" not in body


def test_padded_tracks_are_mentioned_only_if_there_are_any():
    assert "3 embedded tracks are shorter than a clip" in text_of(store_sections.accounting(SUMS, []).body)
    assert "shorter" not in text_of(store_sections.accounting(SUMS | {"padded": 0}, []).body)


def test_a_sample_of_rejected_tracks_says_so():
    some = [{"name": "n", "uri": "u", "reason": "not_audio", "detail": None}]
    text = text_of(store_sections.accounting(SUMS, some).body)
    assert "1 of 3 rejected tracks" in text
    assert "None" not in text


def test_training_has_a_chart_per_logged_number_the_loss_first():
    body = store_sections.training(LOG, "").body
    assert re.findall(r"<h3>(.*?)</h3>", body) == ["loss", "mean squared error"]
    assert "at the end: training 1.67, held out 1.67" in body
    assert unavailable(store_sections.training([], "for a reason").body) == ["for a reason"]


def test_gate_compares_each_value_with_its_limit():
    body = store_sections.gate(GATE, {"min_recall": 0.95, "max_p99_ms": 100.0}, "").body
    assert re.findall(r"(≥ 0.95|≤ 100)</td><td><span class=\"verdict \w+\">. (\w+)", body) == [
        ("≥ 0.95", "met"),
        ("≥ 0.95", "met"),
        ("≤ 100", "missed"),
    ]
    assert "verdict" not in store_sections.gate(GATE, {}, "").body


def test_exposure_lists_artists_with_more_than_their_share():
    metadata = make_metadata([f"t{i}" for i in range(31)], artists=["Star", *["Rest"] * 30])
    body = store_sections.exposure(star(30), metadata, {"k": 1, "hubs": []}).body
    rows = re.findall(r'<th scope="row">(\w+)</th><td>(\d+)</td><td>([\d.]+) %</td><td>([\d.]+)<', body)
    assert rows[0][0] == "Star"
    assert float(rows[0][2]) == pytest.approx(100 * 30 / 31, abs=0.06)
    assert float(rows[0][3]) == 30
    assert "Artists" not in store_sections.exposure(star(30), nameless(31), {"k": 1, "hubs": []}).body


def test_headline_has_no_card_for_a_check_that_did_not_run():
    html = store_sections.headline("s", "today", {}, SUMS, GATE, [CHECK, CHECK | {"check": "idle", "n_tracks": 0}])
    assert re.findall(r'class="name">(.*?)<', html) == [
        "tracks with an embedding",
        "mislabeled",
        "recall@10 of the index",
    ]
    assert "80.0 % of 20; 1 exact duplicates, 3 rejected, 0 pending" in text_of(html)
