"""Steps: a check that is killed repeats at most the step that was running, with the same result."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from audioae.audio.extract import Extracted
from audioae.audio.health import HEALTH_COLUMNS
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.screening import run
from audioae.screening.corrupt import features
from audioae.screening.generated import examples
from audioae.screening.generated.artifacts import ARTIFACT_NAMES
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.resynthesis import SourceAudio
from audioae.screening.mislabeled.label_noise import inject_label_noise
from audioae.screening.result import Screened
from audioae.screening.steps import Steps
from audioae.store.dataset import Store
from audioae.store.prune import prune
from tests.recommend.made import styles
from tests.screening.made import N, make_store, replace_check, screen
from tests.screening.mislabeled.made import label_model

Answer = Callable[[Any, tuple[Any, ...]], Any]


class Killed(BaseException):
    """As a signal, it is no `Exception`."""


class Workshop:
    """Answers in place of the workers; dies at the call number `dies_at`."""

    def __init__(self, monkeypatch, module: Any, answer: Answer):
        self.keys: list[Any] = []
        self.dies_at = -1
        self.answer = answer
        monkeypatch.setattr(module, "imap_killable", self.imap)

    def imap(self, function, items, *, workers, timeout_s):
        for key, arguments in items:
            if len(self.keys) == self.dies_at:
                raise Killed
            self.keys.append((function.__name__, key))
            yield key, self.answer(function.__name__, arguments)


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "store"))


def test_values_come_back_as_they_were(store: Store):
    steps = Steps(store, "corrupt-12")
    assert steps.load("one") is None
    values = {
        "rows": [{"a": np.float32(0.1), "b": None, "c": float("nan")}],
        "x": np.array([[1.5], [np.nan]], np.float32),
    }
    steps.save("one", values)
    loaded = Steps(store, "corrupt-12").load("one")
    assert loaded is not None
    assert (loaded["rows"][0]["a"], loaded["rows"][0]["b"]) == (float(np.float32(0.1)), None)
    assert np.isnan(loaded["rows"][0]["c"])
    assert loaded["x"].dtype == np.float32
    assert np.array_equal(loaded["x"], values["x"], equal_nan=True)
    assert Steps(store, "corrupt-34").load("one") is None, "another scope"
    assert Steps(store, "corrupt-12").load("other") is None
    Steps().save("one", values)
    assert Steps().load("one") is None


def test_a_killed_check_repeats_only_the_running_step_and_prune_deletes_them(monkeypatch, tmp_path):
    store = make_store(str(tmp_path / "made"), N)
    done: list[int] = []
    dies_at = [7]

    def check(library, config, workers, progress, steps) -> Screened:
        scores = []
        for row in range(10):
            step = steps.load(f"row {row}")
            if step is None:
                if len(done) == dies_at[0]:
                    raise Killed
                done.append(row)
                step = {"score": row / 10}
                steps.save(f"row {row}", step)
            scores.append(step["score"])
        return Screened("corrupt", np.array([f"t{row}" for row in range(10)]), np.array(scores, np.float32), 0.5)

    replace_check(monkeypatch, "corrupt", check)
    with pytest.raises(Killed):
        screen(store)
    dies_at[0] = -1
    rows = store.read(screen(store)).to_pylist()
    assert done == list(range(10)), "no step twice"
    assert [row["score"] for row in rows if row["check"] == "corrupt"] == pytest.approx([row / 10 for row in range(10)])
    replace_check(monkeypatch, "corrupt", check, code=99)
    screen(store)
    assert done == [*range(10), *range(10)], "steps of other code are not used"
    prune(store, grace=timedelta(days=1))
    assert len(store.part_fingerprints("steps")) == 20
    prune(store, grace=timedelta(seconds=-5))
    assert store.part_fingerprints("steps") == set()


def test_the_sample_of_check_corrupt_goes_on_after_a_kill(monkeypatch, store: Store):
    def answer(_: str, arguments: tuple[Any, ...]) -> Any:
        path, versions = arguments[0], arguments[-1]
        if path == "/music/3":
            return AudioError("unreadable", "no such file")
        health = {name: 0.1 + len(path) for name, kind in HEALTH_COLUMNS.items() if kind is not str} | {"codec": "flac"}
        health |= {name: "x" for name, kind in HEALTH_COLUMNS.items() if kind is str and name != "codec"}
        empty = np.zeros(0)
        good = {version: Extracted(empty, empty, empty, False, health) for version in versions}
        return {**good, versions[-1]: AudioError("silent", "nothing left")}

    workshop = Workshop(monkeypatch, features, answer)
    monkeypatch.setattr(
        features, "_reconstruction", lambda *_: {"reconstruction_error": np.float32(0.3), "spread": 0.7}
    )
    library: Any = SimpleNamespace(mels_config=MelsConfig(), store=store)
    names = {"track_id": [f"t{i}" for i in range(9)], "uri": [f"/music/{i}" for i in range(9)]}
    tracks = pa.table({name: names.get(name, [None] * 9) for name in features.TRACK_COLUMNS})
    columns = features._columns([])
    evidence = features.Evidence(tracks, {name: np.zeros(9) for name in columns})
    sample = np.array([5, 3, 1, 8, 2])

    def make(steps: Steps) -> features.Versions:
        return features.make_versions(library, evidence, sample, 3, Workers(), quiet, steps)

    whole = make(Steps())
    assert (len(workshop.keys), len(whole.track)) == (5, 4 * 3)
    workshop.keys.clear()
    workshop.dies_at = 3
    with pytest.raises(Killed):
        make(Steps(store, "corrupt-1"))
    workshop.keys.clear()
    workshop.dies_at = -1
    resumed = make(Steps(store, "corrupt-1"))
    assert [row for _, row in workshop.keys] == [3, 8, 2], "the unreadable track is tried again"
    assert resumed.track.tolist() == whole.track.tolist() == [5, 5, 5, 1, 1, 1, 8, 8, 8, 2, 2, 2]
    assert (resumed.kinds.tolist(), resumed.omitted) == (whole.kinds.tolist(), whole.omitted)
    for name, values in whole.columns.items():
        assert np.array_equal(values, resumed.columns[name], equal_nan=True), name


def test_the_sample_of_check_generated_goes_on_after_a_kill(monkeypatch, store: Store):
    def answer(function: str, arguments: tuple[Any, ...]) -> Any:
        if function == "read_source":
            return SourceAudio(np.full(4, float(arguments[0][-1]), np.float32), 8000, np.zeros(1))
        excerpt, versions = arguments[0], arguments[4]
        artifacts = np.full(len(ARTIFACT_NAMES), excerpt.waveform[0] / 3, np.float32)
        return [(family, version, artifacts) for family in ("real", "mel") for version in versions]

    workshop = Workshop(monkeypatch, examples, answer)
    library: Any = SimpleNamespace(embedder=SimpleNamespace(reconstruct=lambda codes: codes))
    sample = [(f"/music/{i}", f"artist {i % 2}") for i in range(5)]

    def make(steps: Steps) -> tuple[examples.Examples, tuple[str, ...]]:
        versions = [("original",), ("original", "mp3 64 kb/s")]
        return examples.resynthesize(library, sample, {}, versions, GeneratedConfig(), Workers(), quiet, steps)

    whole, _ = make(Steps())
    assert (len(workshop.keys), len(whole.family)) == (10, 2 * (1 + 2 + 1 + 2 + 1))
    workshop.keys.clear()
    workshop.dies_at = 8
    with pytest.raises(Killed):
        make(Steps(store, "generated-1"))
    workshop.keys.clear()
    workshop.dies_at = -1
    resumed, omitted = make(Steps(store, "generated-1"))
    assert workshop.keys == [(name, track) for name in ("read_source", "resynthesized_artifacts") for track in (3, 4)]
    assert omitted == ()
    for name, values in vars(whole).items():
        assert np.array_equal(values, vars(resumed)[name]), name


def test_the_swapped_labels_of_check_mislabeled_go_on_after_a_kill(monkeypatch, store: Store):
    vectors, labels = styles(4, 30, spread=3)
    model, albums = label_model(vectors, 4), np.arange(120) // 3
    scores = model.score(labels)
    whole = inject_label_noise(model, labels, scores, albums, share=0.1, seed=3)
    calls: list[int] = []
    dies_at = [5]
    score = type(model).score

    def counted(self, noisy):
        if len(calls) == dies_at[0]:
            raise Killed
        calls.append(1)
        return score(self, noisy)

    monkeypatch.setattr(type(model), "score", counted)
    with pytest.raises(Killed):
        inject_label_noise(model, labels, scores, albums, share=0.1, seed=3, steps=Steps(store, "mislabeled-1"))
    calls.clear()
    dies_at[0] = -1
    resumed = inject_label_noise(model, labels, scores, albums, share=0.1, seed=3, steps=Steps(store, "mislabeled-1"))
    n_rounds = sum(figures["rounds"] for figures in whole.document.values() if isinstance(figures, dict))
    assert len(calls) == n_rounds - 5
    assert resumed.document == whole.document
    assert np.array_equal(resumed.score, whole.score)
    assert np.array_equal(resumed.swapped, whole.swapped)
    assert np.array_equal(resumed.suggested_right, whole.suggested_right)


def test_the_steps_of_a_check_have_the_name_of_its_part(monkeypatch, tmp_path):
    store = make_store(str(tmp_path / "made"), N)
    scopes: list[str] = []

    class Seen(Steps):
        def __init__(self, store: Store | None = None, scope: str = ""):
            super().__init__(store, scope)
            scopes.append(scope)

    monkeypatch.setattr(run, "Steps", Seen)
    screen(store, corrupt=None)
    assert scopes == list(store.part_fingerprints("findings"))
