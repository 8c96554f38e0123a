"""Answers files whose agreement is known, and the tracks that they are about."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audioae.listening.answers import Answers
from audioae.pages.listening_page import FORMAT


def trial(x: str, a: str, b: str, difficulty: str = "easy", repeated: bool = False) -> dict[str, Any]:
    """A trial as the page writes it."""
    heard = {name: {"track_id": track, "start_s": 1.0, "clip": "c0"} for name, track in (("x", x), ("a", a), ("b", b))}
    return {**heard, "difficulty": difficulty, "repeated": repeated}


def answers(trials: Sequence[dict[str, Any]], choices: str, session: str = "one", **head: Any) -> dict[str, Any]:
    """A file: the choice in each trial, "a" or "b"; "-" is not answered."""
    given = [{"trial": i, "choice": choice, "seconds": 4.5} for i, choice in enumerate(choices) if choice != "-"]
    document = {"format": FORMAT, "test": "t", "embeddings": "embeddings@old", "session": session, "listener": ""}
    return {**document, **head, "trials": list(trials), "answers": given}


def parsed(*documents: dict[str, Any]) -> list[Answers]:
    return [Answers.model_validate(document) for document in documents]


def written(folder: Path, *documents: dict[str, Any]) -> list[str]:
    """Paths of the files."""
    paths = [folder / f"answers-{i}.json" for i in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return [str(path) for path in paths]
