"""Metrics, their comparison with baselines, and robustness."""

import re

import pytest

from audioae.pages import metric_sections
from tests.pages.made import DOCUMENT, EVIL, METRICS, HtmlReader, entry, text_of


def test_table_has_the_hardest_baseline_first_and_verdicts_in_words():
    body = metric_sections.metric_table(DOCUMENT).body
    assert re.findall(r'<th scope="col">(.*?)</th>', body) == ["metric", "audioae", "hard", "easy"]
    assert body.count("▲ better") == 2
    assert body.count("▼ worse") == 1
    assert body.count("= no difference") == 1
    assert body.count("lower is better") == 1
    assert "−0.100" in body
    assert "compare audioae with the baseline of the column" in text_of(body)


def test_with_too_few_artists_the_note_stands_for_interval_and_verdict():
    note = "too few artists to tell: 3, an interval and a verdict need at least 5"
    none = {"low": None, "high": None}
    other = entry(0.3, **none) | {"verdict": None, "difference": entry(0.4, **none)}
    results = {"ours": entry(0.7, **none), "MFCC": other}
    document = {"metrics": [METRICS[0] | {"note": note, "results": results}], "n_tracks": 9}
    body = metric_sections.metric_table(document).body
    table = body.split("<figcaption>")[0]
    assert text_of(body).count(note) == 1
    assert "+0.400" in table
    assert not any(part in table for part in ("[", 'class="verdict', "None", "95 %"))
    head = metric_sections.headline(document, 9)
    assert text_of(head).count(note) == 1
    assert "None" not in head


def test_table_without_baselines_explains_no_verdicts():
    alone = [metric | {"results": {"audioae": entry(0.4)}} for metric in METRICS]
    assert "▲" not in metric_sections.metric_table({"metrics": alone}).body


def test_baseline_without_a_metric_gets_a_dash():
    partial = [METRICS[0], METRICS[1] | {"results": {"audioae": entry(0.4)}}]
    assert metric_sections.metric_table({"metrics": partial}).body.count("<td>–</td>") == 2


def test_names_and_verdicts_are_escaped():
    hostile = METRICS[0] | {"key": EVIL, "results": {EVIL: entry(0.1), EVIL + "2": entry(0.2, "better")}}
    document = DOCUMENT | {"metrics": [hostile, METRICS[1] | {"results": {EVIL: entry(0.1), "b": entry(0.2, EVIL)}}]}
    assert EVIL in HtmlReader(metric_sections.metric_table(document).body).raw_text
    assert EVIL in HtmlReader(metric_sections.headline(document, 4)).raw_text


def test_key_figures_prefer_the_filtered_metric():
    filtered = METRICS[0] | {"key": "mAP by label, other artists"}
    chosen = metric_sections.key_figures([*METRICS, filtered, METRICS[0] | {"key": "R2 of tempo"}])
    assert [metric["key"] for metric in chosen] == [
        "mAP by label, other artists",
        "skewness of 10-occurrence",
        "R2 of tempo",
    ]


def test_headline_counts_verdicts():
    assert "compared with easy ▲ better 2" in text_of(metric_sections.headline(DOCUMENT, 40))


def test_robustness_shows_cosine_worst_and_self_retrieval():
    body = metric_sections.robustness(DOCUMENT).body
    for shown in ("gain -6 dB", "0.9942", "min 0.870", "85 %", "0.950", "[0.900, 1.000]", "--goal:"):
        assert shown in body
    assert "MRR 0.963 [0.910, 0.990] recall@10 1.000" in text_of(body)
    assert "recall@100 <b>" not in body


@pytest.mark.parametrize("missing", ["n", "share_99", "cosine_min", "cosine_low", "self_low", "mrr"])
def test_robustness_without_a_value_has_the_others(missing: str):
    (row,) = DOCUMENT["robustness"]
    body = metric_sections.robustness({"robustness": [{k: v for k, v in row.items() if k != missing}]}).body
    assert "0.9942" in body


def test_nothing_omitted_needs_no_section():
    assert metric_sections.omitted([]) is None


def test_carriers_name_dimensions_and_codes():
    heavy = [{"dimension": 9, "weight": 0.4, "correlation": 0.55}]
    code = {"book": 3, "code": 17, "low": 0.02, "high": 0.31}
    known = {"target": EVIL, "r2": 0.7, "n_dimensions": 128, "needed": 16, "dimensions": heavy, "code": code}
    unknown = known | {"target": "tempo", "r2": 0.01, "needed": None}
    section = metric_sections.carriers({"carriers": [known, unknown]})
    assert section is not None
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", section.body)[5:]
    assert [text_of(cell) for cell in cells[:5]] == [EVIL, "0.700", "16 of 128", "9 (+0.55)", "3/17: 2 % to 31 %"]
    assert [text_of(cell) for cell in cells[5:]] == ["tempo", "0.010", "nothing is known", "", ""]
    assert metric_sections.carriers({}) is None
