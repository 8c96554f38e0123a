"""Any nested data becomes headings and tables of bounded size."""

import re

from audioae.pages.values import MAX_ROWS, nested
from tests.pages.made import EVIL, HtmlReader


def test_nothing_gives_nothing():
    assert nested({}) == nested(None) == nested([]) == nested({"a": {}}) == ""


def test_list_of_mappings_is_a_table():
    html = nested({"faults": [{"fault": "hum", "auroc": 0.6}, {"fault": "dropout", "left_out": 1.0}]})
    assert re.findall(r'scope="col">(.*?)<', html) == ["fault", "auroc", "left out"]
    assert re.findall(r'scope="row">(.*?)<', html) == ["hum", "dropout"]


def test_mappings_of_one_shape_are_rows_of_one_table():
    html = nested({"random": {"precision": 0.9, "n": 14}, "confusable": {"precision": 0.7, "n": 14}})
    assert html.count("<table") == 1
    assert re.findall(r'scope="row">(.*?)<', html) == ["random", "confusable"]


def test_deeper_parts_have_headings():
    html = nested({"deep": {"deeper": {"deepest": [1, 2, {"x": None}]}}})
    assert re.findall(r"<h4>(.*?)<", html)[:2] == ["deep", "deeper"]


def test_long_tables_are_cut_and_say_so():
    html = nested({str(i): i for i in range(MAX_ROWS + 5)})
    assert html.count("<tr>") == MAX_ROWS
    assert "and 5 more" in html


def test_names_and_values_are_escaped():
    reader = HtmlReader(
        nested({EVIL: EVIL, "list": [EVIL], "rows": [{EVIL: EVIL}], "deep": {EVIL: {"x": {"y": EVIL}}}})
    )
    assert reader.raw_text.count(EVIL) >= 6
