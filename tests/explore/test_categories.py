"""Codes of categories and their legends, against pandas."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from audioae.explore.categories import MAX_CODES, NONE, OTHER, legend, make_categories
from audioae.library.vocabulary import Vocabulary, make_vocabulary


def made(texts: Sequence[str | None], max_codes: int = MAX_CODES):
    """Categories, codes of the rows, and the legend."""
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    table, codes = make_vocabulary(encoded.dictionary)
    vocabulary = Vocabulary(table)
    values = np.append(codes, -1)[encoded.indices.fill_null(len(codes)).to_numpy()]
    categories = make_categories(values, vocabulary.folded, max_codes)
    return categories, categories.codes(values), legend(categories, vocabulary)


def test_the_most_frequent_have_codes_of_their_own_and_the_others_share_one():
    rng = np.random.default_rng(1)
    texts = [f"artist {i}" for i in rng.zipf(1.4, 5_000) % 300]
    _, codes, shown = made(texts)
    frame = pd.Series(texts).value_counts()
    assert [(row["code"], row["n"]) for row in shown[:-1]] == list(enumerate(frame.iloc[:MAX_CODES]))
    assert {row["value"] for row in shown[:-1] if row["n"] > frame.iloc[MAX_CODES]} == {
        text for text, n in frame.items() if n > frame.iloc[MAX_CODES]
    }
    others = len(frame) - MAX_CODES
    assert shown[-1] == {"code": "other", "value": f"{others} others", "n": int(frame.iloc[MAX_CODES:].sum())}
    by_code = {row["code"]: row["value"] for row in shown[:-1]}
    for text, code in zip(texts, codes.tolist(), strict=True):
        assert by_code[code] == text if code != OTHER else text not in by_code.values()
    assert codes.dtype == np.uint16


def test_spellings_that_differ_in_case_are_one_category_in_its_most_frequent_spelling():
    _, codes, shown = made(["rock", "Rock", "ROCK", "Rock", "jazz", None, "Straße", "STRASSE"])
    assert codes.tolist() == [0, 0, 0, 0, 2, NONE, 1, 1]
    assert [(row["value"], row["n"]) for row in shown] == [("Rock", 4), ("STRASSE", 2), ("jazz", 1)]


def test_a_value_called_other_is_not_the_others():
    _, codes, shown = made(["other", "other", "b", "b", "c"], max_codes=2)
    assert [row["code"] for row in shown] == [0, 1, "other"]
    assert {row["value"] for row in shown[:2]} == {"other", "b"}
    assert codes[-1] == OTHER


def test_nothing_and_no_value():
    assert made([None, None])[1].tolist() == [NONE, NONE]
    assert made([None])[2] == []
    assert made([])[1].tolist() == []


def test_values_that_no_row_has_are_not_in_the_legend():
    categories = make_categories(np.array([1, 1]), pa.array(["a", "b", "c"]))
    assert legend(categories, ["a", "b", "c"]) == [{"code": 0, "value": "b", "n": 2}]
