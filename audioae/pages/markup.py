"""HTML from templates: the one place where data becomes markup.

Conventions
-----------
- Every template escapes every value; only `Markup`, which another template has made, is inserted unchanged. Titles,
  labels and IDs come from tags of audio files, which strangers write.
- A character that steers a terminal or reverses text is shown escaped, as `audioae.display` does it.
- A value that a template needs and does not get is an error.
- JSON for a script goes through `tojson`, which cannot end the script.

Why jinja2 is imported late: commands that draw no page do not need it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audioae.display import Lines, shown
from audioae.pages.formats import brief, clock, count, interval, number, percent, words

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FILTERS = (brief, clock, count, number, percent, words)
FUNCTIONS = (interval,)


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, its heading, and its HTML."""

    anchor: str
    title: str
    body: "Markup"


def render(template: str, **values: Any) -> "Markup":
    """Fill in `templates/<template>.html.j2`.

    >>> render("left_out", why="<b>")
    Markup('<p class="left-out">Not available: &lt;b&gt;.</p>')
    """
    from markupsafe import Markup

    return Markup(_environment().get_template(f"{template}.html.j2").render(values))  # nosec B704 - escaped by the template


def draw(chart: str, **values: Any) -> "Markup":
    """Call the macro `chart` of `templates/charts.html.j2`."""
    return getattr(_environment().get_template("charts.html.j2").module, chart)(**values)


def left_out(anchor: str, title: str, why: str) -> Section:
    """A section in the place of one that has nothing to show; `why` is a sentence without its period."""
    return Section(anchor, title, render("left_out", why=why))


def package_file(name: str) -> "Markup":
    """A style or a script of this package, which a page contains unchanged."""
    from markupsafe import Markup

    return Markup(_read(name))  # nosec B704 - a file of this package


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: _read(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters.update({function.__name__: function for function in FILTERS})
    environment.globals.update({function.__name__: function for function in FUNCTIONS})
    return environment


def _visible(value: Any) -> Any:
    """Text as a page shows it; markup was made from such text."""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else shown(Lines(value), None)


def _read(name: str) -> str:
    return (files("audioae.pages") / name).read_text(encoding="utf-8")
