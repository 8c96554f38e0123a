"""Text of strangers is escaped and cut where it is shown, and left alone otherwise."""

import unicodedata

import pytest

from audioae.display import LONGEST, Lines, csv_cell, drawn, shown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bell\x07 \x00\x7f\x9b", r"bell\x07 \x00\x7f\x9b"),
        ("two\nlines\r\tand\u2028more", r"two\nlines\r\tand\u2028more"),
        ("\u202egpj.exe\u202c \u2066x\u2069", r"\u202egpj.exe\u202c \u2066x\u2069"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_steers_or_misleads_is_escaped(text: str, escaped: str):
    assert shown(text) == escaped
    assert csv_cell(text) == escaped


@pytest.mark.parametrize(
    "text", ["Größe, 邓丽君, Алла", "👩\u200d🎤 🏳️", "نام\u200cها \u200f(א)", "back\\slash", "a\xa0b", "[b]"]
)
def test_other_text_is_left_alone(text: str):
    assert shown(text) == csv_cell(text) == drawn(text) == text


def test_no_control_character_is_left():
    everything = "".join(map(chr, range(0x3000)))
    assert not {unicodedata.category(c) for c in shown(everything, None)} & {"Cc", "Zl", "Zp", "Cs"}


def test_long_text_is_cut():
    assert len(shown("x" * 100_000)) == LONGEST
    assert shown("x" * LONGEST) == "x" * LONGEST
    assert shown("x" * 100_000, None) == csv_cell("x" * 100_000) == "x" * 100_000


def test_our_own_lines_are_kept():
    assert shown(Lines("one\ntwo\x1b")) == "one\ntwo\\x1b"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A", "\t=1", "\r=1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_compute_gets_an_apostrophe(text: str):
    assert csv_cell(text) == "'" + shown(text)


def test_numbers_and_nulls_stay():
    assert [csv_cell(value) for value in (None, -1, -0.5, True)] == [None, -1, -0.5, True]
