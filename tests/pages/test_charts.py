"""Charts put values where they belong, and survive missing, constant and hostile ones."""

import base64
import io
import re

import numpy as np
from matplotlib.image import imread

from audioae.pages.charts import code_usage, curves, heat_table, histogram, stacked_bar, strip
from tests.pages.made import EVIL, HtmlReader


def test_strip_stays_on_its_axis():
    assert "--at:50.0%;--from:25.0%;--wide:75.0%" in strip(0.5, 0.25, 3.0, (0.0, 1.0))
    assert "--at:50.0%;--from:50.0%;--wide:0.0%" in strip(0.5, None, None, (0.0, 1.0), "bar")
    assert strip(None, 0.0, 1.0, (0.0, 1.0)) == strip(float("nan"), 0.0, 1.0, (0.0, 1.0)) == ""


def test_histogram_widens_its_bars():
    assert re.findall(r'title="(.*?)"', histogram(np.array([0, 2, 2]))) == ["0: 1 tracks", "1: 0 tracks", "2: 2 tracks"]
    wide = re.findall(r'title="(.*?)"', histogram(np.arange(100)))
    assert wide[0] == "0 to 2: 3 tracks"
    assert len(wide) == 34


def test_heat_table_colors_by_the_share_of_the_row():
    html = heat_table(np.array([[3, 1], [0, 0]]), ["a", EVIL])
    assert re.findall(r'--share:(\d+)%">(\d*)<', html) == [("75", "3"), ("25", "1"), ("0", ""), ("0", "")]
    assert HtmlReader(html).raw_text.count(EVIL) == 2


def test_stacked_bar_drops_empty_parts():
    bar = stacked_bar([("one", 3, "embedded"), (EVIL, 1, "rejected"), ("none", 0, "pending")])
    assert re.findall(r"--wide:([\d.]+)%", bar) == ["75.000", "25.000"]
    (attrs,) = HtmlReader(bar).all("div", "stack")
    assert attrs["aria-label"] == f"one 3, {EVIL} 1"


def test_curves_have_the_largest_value_on_top():
    drawn = curves("loss", {"train": [(0, 2.0), (5, 1.0), (10, 4.0)]})
    (path,) = re.findall(r'd="M(.*?)"', drawn)
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    assert [x for x, _ in points] == [0, 50, 100]
    assert min(points, key=lambda point: point[1])[0] == 100
    assert re.findall(r'class="(?:top|low)">(.*?)<', drawn) == ["4", "1"]


def test_curve_of_one_value_is_a_dot():
    drawn = curves(EVIL, {"train": [(10, 1.0)]})
    assert "nan" not in drawn
    assert 'class="train dots"' in drawn
    assert EVIL in HtmlReader(drawn).raw_text


def test_codes_are_sorted_by_use():
    source = re.findall(r"base64,([^\"]+)", code_usage(np.array([[0.0, 1.0, 0.5, 0.5]])))[0]
    use = imread(io.BytesIO(base64.b64decode(source)), format="png")[0, :, 0]
    assert (np.diff(use) <= 0).all()
    assert use[0] > use[-1]
