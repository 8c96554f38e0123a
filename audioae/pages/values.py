"""Nested plain data (JSON) as small tables, whatever its keys are: what a check found out about itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from audioae.pages.markup import brief, escape, table

MAX_ROWS = 40


def nested(value: Any, name: str = "") -> str:
    """HTML of nested mappings, lists, numbers and texts: flat parts as tables, the rest below headings.

    >>> nested({"recall": 0.5}).count("<tr>")
    1
    """
    if isinstance(value, Mapping):
        return _mapping(value, name)
    if _is_list(value) and value and all(isinstance(row, Mapping) and _is_flat(row) for row in value):
        return _titled(name, _rows(list(value)))
    if _is_list(value) and not all(_is_scalar(entry) for entry in value):
        return _mapping({str(i): entry for i, entry in enumerate(value, 1)}, name)
    return _titled(name, f"<p>{_cell(value)}</p>") if value not in (None, "", [], ()) else ""


def _mapping(value: Mapping[str, Any], name: str) -> str:
    flat = {key: entry for key, entry in value.items() if _is_scalar(entry) or _is_list_of_scalars(entry)}
    deep = {key: entry for key, entry in value.items() if key not in flat}
    parts = []
    if flat:
        cells = [(escape(_words(key)), _cell(entry)) for key, entry in list(flat.items())[:MAX_ROWS]]
        parts.append(table(("", ""), cells) + _more(len(flat)))
    if len(deep) > 1 and all(isinstance(entry, Mapping) and _is_flat(entry) for entry in deep.values()):
        parts.append(_rows([{"": _words(key), **entry} for key, entry in deep.items()]))
    else:
        parts += [nested(entry, _words(key)) for key, entry in list(deep.items())[:MAX_ROWS]]
    return _titled(name, "".join(parts))


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row per mapping, a column per key that any has; the first is the row's heading."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row[key]) if key in row else "" for key in columns] for row in rows[:MAX_ROWS]]
    return table([_words(key) for key in columns], cells) + _more(len(rows))


def _more(n: int) -> str:
    return f"<p><small>and {n - MAX_ROWS:,} more</small></p>" if n > MAX_ROWS else ""


def _titled(name: str, body: str) -> str:
    return f"<h4>{escape(name)}</h4>{body}" if name and body else body


def _words(key: object) -> str:
    return str(key).replace("_", " ")


def _cell(value: Any) -> str:
    if _is_list(value):
        return escape(
            ", ".join(brief(entry) for entry in value[:MAX_ROWS]) + (", ..." if len(value) > MAX_ROWS else "")
        )
    return escape(brief(value))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, Mapping) and not _is_list(value)


def _is_list_of_scalars(value: Any) -> bool:
    return _is_list(value) and len(value) <= 12 and all(_is_scalar(entry) for entry in value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return all(_is_scalar(entry) or _is_list_of_scalars(entry) for entry in value.values())
