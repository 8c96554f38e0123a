"""The presets: twelve styles that only name instruments, drums and marks that exist."""

import pytest

from audioae.demo.drums import DRUMS
from audioae.demo.render import PITCHED
from audioae.demo.styles import Style, load_styles

STYLES = load_styles()


def test_labels_of_the_styles_differ():
    assert len({style.label for style in STYLES}) == len(STYLES) == 12


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.label)
def test_a_preset_names_only_instruments_drums_and_marks_that_exist(style: Style):
    drums = {drum for groove in style.grooves for drum in groove}
    drums |= {drum for kit in style.kits for drum in kit.values()}
    assert drums <= set(DRUMS)
    assert {name for part in style.parts for name in part.instruments} <= set(PITCHED)
    assert set("".join(steps for part in style.parts for steps in part.steps)) <= set(".-xXa01234567")
    assert set("".join(steps for groove in style.grooves for steps in groove.values())) <= set(".xXo")
