"""Templates escape every value, and no other code makes markup."""

import ast
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from audioae.pages import markup
from audioae.pages.markup import Section, draw, left_out, package_file, render
from audioae.pages.shell import PageTrack
from tests.pages.made import EVIL, HtmlReader, script_data

FOLDER = Path(str(files("audioae.pages")))
MODULES = sorted(FOLDER.glob("*.py"))
TEMPLATES = sorted(FOLDER.glob("templates/*.html.j2"))


def page(**values) -> str:
    common = {
        "title": "",
        "style": "",
        "hues": [],
        "shapes": "",
        "header": "",
        "sections": [],
        "data": {},
        "script": "",
    }
    return str(render("page", **common | values))


def test_text_is_escaped_and_markup_is_not():
    assert EVIL in HtmlReader(render("left_out", why=EVIL)).raw_text
    section = left_out("a", "A", EVIL)
    html = page(sections=[section, Section("b", EVIL, draw("mark_shapes"))])
    assert html.count("<svg") == 1
    assert "<img" not in html


def test_text_that_misleads_is_escaped():
    assert r"a\x1b[2J \u202eb" in HtmlReader(render("left_out", why="a\x1b[2J \u202eb")).raw_text
    track = PageTrack("\u202etitle\n" + "x" * 100_000, "\x07", "\x1b", uri="/a\n/b")
    assert (track.artist, track.label, track.uri) == (r"\x07", r"\x1b", r"/a\n/b")
    assert track.title.startswith(r"\u202etitle\nxx")
    assert len(track.title) < 1000


def test_data_of_the_script_cannot_end_the_script():
    html = page(data={"key": [EVIL, "<!--", "ü"], 1: None})
    assert "<!--" not in html
    assert script_data(html) == {"key": [EVIL, "<!--", "ü"], "1": None}
    assert "ü" in html


def test_missing_value_is_an_error():
    with pytest.raises(UndefinedError, match="why"):
        render("left_out")


def test_every_template_is_loaded_with_escaping():
    environment = markup._environment()
    assert environment.autoescape is True
    assert len(TEMPLATES) > 15
    for template in TEMPLATES:
        environment.get_template(template.name)
        assert not re.search(r"\|\s*safe\b|autoescape", template.read_text(encoding="utf-8")), template.name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_builds_markup_from_strings(module: Path):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
            assert not re.search(r"<\w|</", " ".join(map(str, texts))), f"{module.name}:{node.lineno}"
        is_markup = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup"
        assert module.name == "markup.py" or not is_markup, f"{module.name}:{getattr(node, 'lineno', 0)}"


def test_style_and_script_are_inserted_unchanged():
    html = page(style=package_file("style.css"), script=package_file("script.js"))
    assert (FOLDER / "script.js").read_text(encoding="utf-8") in html
    assert (FOLDER / "style.css").read_text(encoding="utf-8") in html
    assert json.loads(HtmlReader(html).scripts[0]) == {}
