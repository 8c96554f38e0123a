"""The cited part of an evaluation or a comparison: what a document keeps when it is committed.

Convention: figures have four decimals; nothing per track, per code or per listener is kept.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEADER = ("date", "machine", "title", "n_tracks", "k", "model")
ENTRY = ("value", "low", "high", "seeds", "verdict")
ROBUSTNESS = ("perturbation", "n", "cosine_mean", "cosine_min", "self_retrieval")


def cited(document: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The header of a document and the metrics whose keys begin with one of `keys`; robustness and reconstruction too.

    >>> document = {"k": 10, "hubs": [{"track_id": "a"}], "metrics": [{"key": "mAP", "results": {}}, {"key": "P@10"}]}
    >>> cited(document, ["mAP"])
    {'k': 10, 'metrics': {'mAP': {}}}
    """
    kept = {name: document[name] for name in HEADER if name in document}
    if "train" in document:
        kept["steps"] = document["train"]["steps"]
    kept["metrics"] = {
        metric["key"]: _entries(metric) for metric in document["metrics"] if metric["key"].startswith(tuple(keys))
    }
    if "reconstruction" in document:
        kept["reconstruction"] = {metric["key"]: _entries(metric) for metric in document["reconstruction"]}
    if "robustness" in document:
        kept["robustness"] = [{name: _rounded(row[name]) for name in ROBUSTNESS} for row in document["robustness"]]
    return kept


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document with one figure a line."""
    path.write_text(_lines(document) + "\n", encoding="utf-8")


def _entries(metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: _rounded(entry[key]) for key in ENTRY if key in entry} for name, entry in metric["results"].items()
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def _lines(value: Any, indent: int = 0) -> str:
    """JSON in which whatever fits into 120 characters is one line."""
    line = json.dumps(value)
    if len(line) + indent <= 120 or not isinstance(value, (dict, list)):
        return line
    space = " " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{space}{json.dumps(name)}: {_lines(inner, indent + 1)}" for name, inner in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{' ' * indent}}}"
    return "[\n" + ",\n".join(space + _lines(inner, indent + 1) for inner in value) + f"\n{' ' * indent}]"
