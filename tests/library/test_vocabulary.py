"""Texts of a column by their codes: all spellings of one, and the closest to one that is unknown."""

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioae.library.vocabulary import ALL, Vocabulary, make_vocabulary

WORDS = st.text(alphabet="aAbBéÉßsSΣσςİi\u0130ſ \0", max_size=4)


@given(st.lists(WORDS, unique=True, max_size=12), WORDS)
def test_a_text_finds_all_its_spellings_and_nothing_else(texts: list[str], wanted: str):
    table, codes = make_vocabulary(pa.array(texts, pa.string()))
    vocabulary = Vocabulary(table)
    found = {texts[row] for row, code in enumerate(codes.tolist()) if code in vocabulary.codes_of(wanted)}
    assert found == {text for text in texts if text.casefold() == wanted.casefold()}
    assert sorted(codes.tolist()) == list(range(len(texts)))


@pytest.mark.parametrize(
    ("wanted", "closest"), [("rok", ["rock"]), ("Elan", ["Élan"]), ("zzz", ["Bebop", "rock", "Élan"]), ("\ud800", None)]
)
def test_the_closest_texts(wanted: str, closest: list[str] | None):
    vocabulary = Vocabulary(make_vocabulary(pa.array(["rock", "", "Bebop", "Élan"]))[0])
    assert vocabulary.closest(wanted) == (closest or ["Bebop", "rock", "Élan"])
    assert Vocabulary(make_vocabulary(pa.array([], pa.string()))[0]).closest(wanted) == []


def test_among_many_texts_only_those_that_share_letters_are_compared():
    """A typing error in a label must not cost a service seconds: difflib takes 0.07 ms for each text."""
    names = [f"Artist {number:06d}" for number in range(200_000)] + ["Björk Guðmundsdóttir"]
    assert len(names) > ALL
    vocabulary = Vocabulary(make_vocabulary(pa.array(names))[0])
    start = time.process_time()
    assert vocabulary.closest("Bjork Gudmundsdottir") == ["Björk Guðmundsdóttir"]
    assert vocabulary.closest("artis 123456")[0] == "Artist 123456"
    vocabulary.closest("\ud800")
    vocabulary.closest("x" * 10_000)
    assert time.process_time() - start < 4
