"""Stage screen: parts that are computed once, checks that fail, verdicts that return."""

import json
import re
from datetime import timedelta

import numpy as np
import pytest

from audioae.config import Config
from audioae.errors import ConfigError, EvaluationError, StoreError
from audioae.pipeline.index import read_embeddings
from audioae.screening import run, verdicts
from audioae.screening.findings import open_findings, write_list
from audioae.screening.registry import CHECKS
from audioae.screening.result import Screened
from audioae.screening.verdict_log import Sent, VerdictLog
from audioae.store.dataset import Store
from audioae.store.prune import prune
from tests.screening.made import N, fill_in, make_index, make_store, replace_check, screen


def listed(store: Store, check: str = "corrupt", budget: int = 99, **options) -> list[str]:
    return [row["track_id"] for row in open_findings(store).worst(check, budget, **options)[0]]


def test_screens_a_bucket_like_a_folder(store_root, fake_calls, tmp_path):
    store = make_store(store_root, N, copies={1: 0}, near=[(0, 5)])
    ref = screen(store)
    parts = store.part_fingerprints("findings")
    assert screen(store) == ref
    assert (fake_calls, store.part_fingerprints("findings")) == (["corrupt"], parts)
    path = tmp_path / "worst.csv"
    write_list(open_findings(store).worst("corrupt", 1)[0], str(path))
    fill_in(path, {"t10": "fine"})
    screen(store, verdicts=str(path))
    assert "t10" not in listed(store)


def test_computes_a_part_once_and_again_only_for_the_check_that_changed(store, fake_calls, monkeypatch):
    ref, parts = screen(store), store.part_fingerprints("findings")
    assert {name.split("-")[0] for name in parts} == {"corrupt", "duplicate"}
    assert parts == store.part_fingerprints("screenings")
    assert screen(store) == ref
    assert (fake_calls, store.part_fingerprints("findings")) == (["corrupt"], parts)
    assert screen(store, duplicate={"near": False}) != ref
    assert fake_calls == ["corrupt"]
    replace_check(monkeypatch, "corrupt", code=99)
    screen(store)
    new = store.part_fingerprints("findings") - parts
    assert (fake_calls, {name.split("-")[0] for name in new}) == (["corrupt"] * 2, {"corrupt", "duplicate"})
    assert len(store.versions("findings")) == 3
    current = screen(store)
    prune(store, keep=1, grace=timedelta(seconds=-5))
    store.verify(current)
    assert open_findings(store).worst("corrupt", 1)[0], "prune keeps the parents of findings"


def test_repeats_a_check_when_a_file_in_its_settings_changes(store, fake_calls, tmp_path, monkeypatch):
    class WithFile(Config):
        decoder: str = ""

    path = tmp_path / "decoder.pt"
    replace_check(monkeypatch, "corrupt", config=WithFile, files=lambda config: [config.decoder])
    settings, config = WithFile(decoder=str(path)), run.ScreenConfig.model_validate({"mislabeled": None})
    for content in (b"one", b"one", b"other"):
        path.write_bytes(content)
        with_file = config.model_copy(update={"corrupt": settings})
        run.screen_store(store, with_file, store.require("index"), run.Workers(1))
    assert len(fake_calls) == 2


def test_another_index_of_the_same_embeddings_does_not_repeat_checks_of_the_embeddings(store, fake_calls):
    screen(store)
    embeddings = store.require("embeddings")
    make_index(store, read_embeddings(store, embeddings), embeddings, [(0, 5)], recipe="b")
    rows = store.read(screen(store)).to_pylist()
    assert fake_calls == ["corrupt"]
    assert "t9" not in [row["track_id"] for row in rows if row["is_issue"]]


def test_finished_checks_survive_a_kill(store, fake_calls, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    works = CHECKS["duplicate"].run
    replace_check(monkeypatch, "duplicate", dies)
    with pytest.raises(KeyboardInterrupt):
        screen(store)
    assert store.latest("findings") is None
    replace_check(monkeypatch, "duplicate", works)
    screen(store)
    assert fake_calls == ["corrupt"]


def test_a_check_that_lacked_audio_runs_again(store, fake_calls, monkeypatch):
    works, calls = CHECKS["corrupt"].run, []

    def lacks_audio(library, *arguments) -> Screened:
        calls.append("lacks audio")
        return Screened("corrupt", np.array(["t1"]), np.ones(1), 0.5, omitted=["cannot read audio"], settled=False)

    replace_check(monkeypatch, "corrupt", lacks_audio)
    ref, parts = screen(store), store.part_fingerprints("findings")
    assert (screen(store), store.part_fingerprints("findings"), len(calls)) == (ref, parts, 2)
    replace_check(monkeypatch, "corrupt", works)
    assert screen(store) != ref
    assert screen(store) == store.require("findings")
    assert fake_calls == ["corrupt"]


def test_a_check_that_cannot_run_gives_its_reason_and_the_others_run(store, monkeypatch):
    def cannot(*_):
        raise EvaluationError("one label only; two are wanted")

    replace_check(monkeypatch, "corrupt", cannot)
    screen(store)
    row = next(row for row in open_findings(store).overview() if row["check"] == "corrupt")
    assert (row["screened"], row["omitted"]) == (0, ["the check could not run: one label only; two are wanted"])

    def broken(*_):
        raise StoreError("damaged")

    replace_check(monkeypatch, "corrupt", broken, code=99)
    with pytest.raises(StoreError, match="damaged"):
        screen(store)


def test_refuses_a_result_under_the_name_of_another_check(store, monkeypatch):
    screened = Screened("corupt", np.array(["t1"]), np.ones(1), 0.5)
    replace_check(monkeypatch, "corrupt", lambda *_: screened)
    with pytest.raises(ValueError, match="check corrupt: got a result of check 'corupt'"):
        screen(store)


def test_refuses_a_config_without_checks(store):
    with pytest.raises(ConfigError, match="no check is on; give one of mislabeled, corrupt, generated, duplicate a"):
        screen(store, corrupt=None, duplicate=None)


def test_verdicts_are_applied_without_repeating_the_check(store, fake_calls, tmp_path):
    before = screen(store)
    path = tmp_path / "worst.csv"
    findings, _ = open_findings(store).worst("corrupt", 5)
    assert write_list(findings, str(path)) == 7, "a row for each track of the album"
    fill_in(path, {"t10": "fine", "t11": "fine", "t12": "fine", "t13": "fine", "t14": "issue"})
    ref = screen(store, verdicts=str(path))
    assert ref != before
    assert fake_calls == ["corrupt"]
    rows = {row["track_id"]: row for row in store.read(ref).to_pylist() if row["check"] == "corrupt"}
    assert [t for t, row in rows.items() if row["is_issue"]] == [f"t{i}" for i in range(14, 20)]
    assert json.loads(rows["t10"]["evidence"])["verdict"] == "fine"
    assert json.loads(rows["t10"]["evidence"])["why"] == "hum of 0 dB"
    assert listed(store, budget=2) == ["t14", "t15"]
    findings, n_fine = open_findings(store).worst("corrupt", 2)
    assert (n_fine, findings[0]["verdict"]) == (4, "issue")
    measured = open_findings(store).screenings["corrupt"]["measured"]
    assert measured["held out"] == {"auroc": 0.5}
    assert (measured["verdicts"]["issue"], measured["verdicts"]["fine"]) == (1, 4)
    second = tmp_path / "second.csv"
    write_list(findings, str(second))
    fill_in(second, {"t15": "fine"})
    screen(store, verdicts=(str(path), str(second)))
    assert listed(store, budget=2) == ["t14", "t16"], "both files count, and t14 is in both"
    assert screen(store) == before, "without verdicts, the findings are the first ones"


def test_refuses_verdicts_for_a_check_that_is_off(store, fake_calls, tmp_path):
    path = tmp_path / "worst.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t10,fine\ngenerated,t1,fine\ngenerated,t2,issue\n")
    message = r"screen\.verdicts: got 2 verdicts for the check generated, which is off; turn it on"
    with pytest.raises(ConfigError, match=message):
        screen(store, verdicts=str(path))
    assert fake_calls == [], "nothing is computed first"


def test_an_unusable_verdict_file_is_one_message_before_any_work(store, tmp_path, fake_calls):
    path = tmp_path / "worst.csv"
    path.write_bytes(b"check,track_id,verdict\ncorrupt,t1,maybe\n")
    with pytest.raises(ConfigError, match=f"{re.escape(str(path))}, line 2: got verdict 'maybe'"):
        screen(store, verdicts=str(path))
    assert fake_calls == []


def test_enough_verdicts_move_the_threshold_of_the_next_run(store, fake_calls, tmp_path, monkeypatch):
    screen(store)
    path, more = tmp_path / "worst.csv", tmp_path / "more.csv"
    write_list(open_findings(store).worst("corrupt", 99)[0], str(path))
    issues = {f"t{i}": "issue" for i in range(10, 14)} | {"t29": "issue"}
    fill_in(path, issues | {f"t{i}": "fine" for i in range(14, 24)})
    more.write_text("check,track_id,verdict\n" + "".join(f"corrupt,gone{i},issue\n" for i in range(9)))
    files = (str(path), str(more))
    screen(store, verdicts=files)
    screening = open_findings(store).screenings["corrupt"]
    assert screening["threshold"] == 0.5, "five issues are too few, one without a score; unknown tracks do not count"
    assert screening["omitted"] == ["9 verdicts on tracks that this check did not look at"]
    monkeypatch.setattr(verdicts, "ENOUGH", 4)
    monkeypatch.setattr(run, "DECISION_CODE", 99)
    ref = screen(store, verdicts=files)
    rows = {row["track_id"]: row for row in store.read(ref).to_pylist() if row["check"] == "corrupt"}
    screening = open_findings(store).screenings["corrupt"]
    assert rows["t13"]["score"] < screening["threshold"] < rows["t14"]["score"]
    assert screening["measured"]["verdicts"]["calibrated"]["precision"] > 0.7
    assert [t for t, row in rows.items() if row["is_issue"]] == ["t10", "t11", "t12", "t13", "t29"]
    assert [rows[t]["confidence"] for t in ("t10", "t14", "t24")] == [1, 0, None], "no verdict scores as high as t24"


def test_a_setting_that_was_added_later_repeats_no_check_that_does_not_use_it(store, fake_calls, monkeypatch):
    """Findings of a version without the setting are found again, with the same version."""

    class Before(Config):
        strict: bool = False

    class After(Config):
        strict: bool = False
        max_tracks: int = 5

    def screened(settings: Config):
        config = run.ScreenConfig.model_validate({"mislabeled": None}).model_copy(update={"corrupt": settings})
        return run.screen_store(store, config, store.require("index"), run.Workers(1))

    replace_check(monkeypatch, "corrupt", config=Before)
    before = screened(Before())
    replace_check(monkeypatch, "corrupt", config=After, later=("max_tracks",))
    assert screened(After()) == before
    assert len(fake_calls) == 1
    screened(After(max_tracks=6))
    assert len(fake_calls) == 2


def test_verdicts_that_were_saved_in_the_store_count_like_their_csv(store, fake_calls, tmp_path):
    before = screen(store)
    log = VerdictLog(store.storage)
    log.save([Sent("corrupt", "t10", "fine", "Ann"), Sent("corrupt", "t20", "issue", "Ann")])
    log.save([Sent("generated", "t10", "issue", "Ann")])  # this check is off
    saved = screen(store)
    assert saved != before
    assert fake_calls == ["corrupt"]
    assert "t10" not in listed(store)
    assert "t20" in listed(store, issues_only=True)
    path = tmp_path / "verdicts.csv"
    path.write_text(log.read().to_csv("corrupt"), encoding="utf-8", newline="")
    parts = store.part_fingerprints("findings")
    screen(store, verdicts=str(path))
    assert store.part_fingerprints("findings") == parts, "the file says the same"
    other = make_store(str(tmp_path / "other"), N, copies={1: 0}, near=[(0, 5)])
    screen(other, verdicts=str(path))
    assert "t10" not in listed(other)


def test_a_file_wins_over_what_was_saved(store, fake_calls, tmp_path):
    VerdictLog(store.storage).save([Sent("corrupt", "t10", "fine", "Ann"), Sent("corrupt", "t11", "fine", "Ann")])
    path = tmp_path / "mine.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t10,issue\n")
    screen(store, verdicts=str(path))
    (row,) = open_findings(store).of_track("t10")[:1]
    assert (row["check"], row["verdict"], row["is_issue"]) == ("corrupt", "issue", True)
    (row,) = open_findings(store).of_track("t11")[:1]
    assert (row["verdict"], row["is_issue"]) == ("fine", False)
