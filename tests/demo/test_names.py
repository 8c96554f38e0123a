"""Names: none is used twice."""

import numpy as np

from audioae.demo import names


def test_names_and_titles_never_repeat():
    rng = np.random.default_rng(0)
    artists, titles = set(), set()
    drawn = [names.artist_name("Jazz", artists, rng) for _ in range(1500)]
    assert len(set(drawn)) == 1500 == len(artists)
    assert len({names.title(titles, rng) for _ in range(3000)}) == 3000


def test_a_label_decides_the_form_of_a_name():
    rng = np.random.default_rng(0)
    assert names.artist_name("Folk", set(), rng).split()[0] in names.FIRST
    assert names.artist_name("Rock", set(), rng).startswith("The ")
