"""Any nested plain data (JSON) as headings and small tables: the figures that a check measured about itself.

Conventions
-----------
- Flat parts become tables; deeper parts follow below a heading. Mappings of one shape become one table, a row each.
- A table has at most `MAX_ROWS` rows and says how many more there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audioae.pages.formats import brief, words
from audioae.pages.markup import render

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_ROWS = 40
MAX_IN_CELL = 12


@dataclass(frozen=True)
class _Block:
    """A heading, a table or a paragraph."""

    heading: str = ""
    text: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    n_more: int = 0


def nested(value: Any) -> "Markup | str":
    """HTML of nested mappings, lists, numbers and texts; "" if there is nothing to show.

    >>> nested({"recall": 0.5}).count("<tr>"), nested({})
    (1, '')
    """
    blocks = _blocks(value, "")
    return render("values", blocks=blocks) if blocks else ""


def _blocks(value: Any, name: str) -> list[_Block]:
    if isinstance(value, Mapping):
        return _mapping(value, name)
    if _is_list(value) and value and all(isinstance(row, Mapping) and _is_flat(row) for row in value):
        return _titled(name, [_rows(list(value))])
    if _is_list(value) and not all(_is_scalar(entry) for entry in value):
        return _mapping({str(i): entry for i, entry in enumerate(value, 1)}, name)
    return _titled(name, [_Block(text=_cell(value))]) if value not in (None, "", [], ()) else []


def _mapping(value: Mapping[str, Any], name: str) -> list[_Block]:
    flat = {key: entry for key, entry in value.items() if _is_scalar(entry) or _is_short_list(entry)}
    deep = {key: entry for key, entry in value.items() if key not in flat}
    blocks = []
    if flat:
        cells = [(words(key), _cell(entry)) for key, entry in list(flat.items())[:MAX_ROWS]]
        blocks.append(_Block(columns=("", ""), rows=cells, n_more=max(len(flat) - MAX_ROWS, 0)))
    if len(deep) > 1 and all(isinstance(entry, Mapping) and _is_flat(entry) for entry in deep.values()):
        blocks.append(_rows([{"": words(key), **entry} for key, entry in deep.items()]))
    else:
        blocks += [block for key, entry in list(deep.items())[:MAX_ROWS] for block in _blocks(entry, words(key))]
    return _titled(name, blocks)


def _rows(rows: Sequence[Mapping[str, Any]]) -> _Block:
    """A row per mapping and a column per key of any of them; the first column is the heading of its row."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row[key]) if key in row else "" for key in columns] for row in rows[:MAX_ROWS]]
    return _Block(columns=[words(key) for key in columns], rows=cells, n_more=max(len(rows) - MAX_ROWS, 0))


def _titled(name: str, blocks: list[_Block]) -> list[_Block]:
    return [_Block(heading=name), *blocks] if name and blocks else blocks


def _cell(value: Any) -> str:
    if _is_list(value):
        return ", ".join(brief(entry) for entry in value[:MAX_ROWS]) + (", ..." if len(value) > MAX_ROWS else "")
    return brief(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, Mapping) and not _is_list(value)


def _is_short_list(value: Any) -> bool:
    return _is_list(value) and len(value) <= MAX_IN_CELL and all(_is_scalar(entry) for entry in value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return all(_is_scalar(entry) or _is_short_list(entry) for entry in value.values())
