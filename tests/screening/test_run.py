"""Stage screen: copies, parts that are made once, verdicts that come back, and what the command shows."""

import csv
import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from audioae.cli import app
from audioae.config import Config, load_config
from audioae.errors import ConfigError, EvaluationError, SearchError, StoreError
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_embeddings
from audioae.screening import run as screen
from audioae.screening import verdicts
from audioae.screening.findings import open_findings, write_list
from audioae.screening.result import Screened
from audioae.screening.run import ScreenConfig, screen_store
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.upkeep import prune
from tests.screening.made import make_index, make_store

ONLY_COPIES = ScreenConfig(mislabeled=None, corrupt=None)
TWO = ScreenConfig(mislabeled=None)
N = 40


def run(store: Store, config: ScreenConfig = TWO) -> DatasetRef:
    return screen_store(store, config, store.require("index"), Workers(1))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """t1 has the bytes of t0, t4 those of the unusable t3; t0, t5 and t9 are one recording, t5 the best of it."""
    health = {
        0: {"codec": "vorbis", "bit_rate": 96_000, "cutoff_hz": 20_000.0},
        5: {"codec": "pcm_16", "bit_rate": 900_000, "cutoff_hz": 20_000.0},
        9: {"codec": "mpeg_layer_iii", "bit_rate": 64_000, "cutoff_hz": 11_000.0},
    }
    root = str(tmp_path / "store")
    return make_store(root, N, copies={1: 0, 4: 3}, rejected=[3, 30], near=[(0, 5, 9)], health=health)


@pytest.fixture
def fake(monkeypatch) -> list[str]:
    """A check `corrupt` that finds t10 to t29 worse and worse, those of an album together; every call is noted."""
    calls: list[str] = []

    def check(library, config, workers, report) -> Screened:
        calls.append("corrupt")
        rows = np.arange(10, 30)
        group = np.where(rows < 13, "album: C", "")
        score = np.linspace(0.1, 0.9, 20)
        evidence = {i: {"why": f"hum of {i} dB", "listen_s": [1.5, 2.0]} for i in range(10)}
        score[-1] = np.nan
        ids = np.array([f"t{row}" for row in rows])
        return Screened("corrupt", ids, score, 0.5, evidence, group, measured={"held out": {"auroc": np.float32(0.5)}})

    monkeypatch.setitem(screen.SCREEN, "corrupt", check)
    return calls


def test_copies_are_one_finding_with_the_one_to_keep(store):
    ref = run(store, ONLY_COPIES)
    rows = {row["track_id"]: row for row in store.read(ref).to_pylist()}
    assert set(rows) == {f"t{i}" for i in range(N)} - {"t30"}, "t3 cannot be used, but is there twice all the same"
    issues = {track_id for track_id, row in rows.items() if row["is_issue"]}
    assert issues == {"t0", "t1", "t9", "t4"}
    assert {t for t, row in rows.items() if row["group"]} == issues | {"t5", "t3"}, "nothing else is merged"
    assert len({rows[t]["group"] for t in ("t0", "t1", "t5", "t9")}) == 1
    assert (rows["t5"]["score"], rows["t1"]["score"]) == (1, 0)
    assert rows["t9"]["score"] == pytest.approx(0.1)
    assert {rows[t]["suggestion"] for t in ("t0", "t1", "t9")} == {"t5"}
    told = json.loads(rows["t9"]["evidence"])
    assert told["why"] == "the same recording (sameness 0.90); keep Title t5 (t5): " + (
        "it ends at 11000 Hz, the kept one at 20000 Hz"
    )
    assert told["rules"] == [{"rule": "cutoff_hz", "value": 11000, "limit": 20000, "unit": "Hz"}]
    assert (sorted(told["copies"]), told["keep"]) == (["t0", "t1", "t5", "t9"], "t5")
    assert json.loads(rows["t4"]["evidence"])["keep"] == "t3"
    assert store.manifest(ref).parents.keys() == {"index", "embeddings", "tracks", "screenings"}
    (told,) = store.read(store.manifest(ref).parent("screenings")).to_pylist()
    assert told["omitted"] == ["1 tracks without an embedding were not compared"]


def test_an_index_from_before_knows_exact_copies_only(tmp_path):
    store = make_store(str(tmp_path), 6, copies={1: 0}, near=None)
    rows = store.read(run(store, ONLY_COPIES)).to_pylist()
    assert [row["track_id"] for row in rows if row["is_issue"]] == ["t1"]
    (omitted,) = open_findings(store).screenings["duplicate"]["omitted"]
    assert "from before near duplicates were looked for: only exact ones" in omitted


def test_near_false_leaves_it_at_the_same_bytes(store):
    config = ScreenConfig.model_validate({"mislabeled": None, "corrupt": None, "duplicate": {"near": False}})
    rows = store.read(run(store, config)).to_pylist()
    assert [row["track_id"] for row in rows if row["is_issue"]] == ["t1", "t4"]


def test_a_bucket_is_screened_like_a_folder(store_root, fake, tmp_path):
    store = make_store(store_root, N, copies={1: 0}, near=[(0, 5)])
    ref = run(store)
    parts = store.part_fingerprints("findings")
    assert run(store) == ref
    assert (fake, store.part_fingerprints("findings")) == (["corrupt"], parts)
    path = tmp_path / "worst.csv"
    write_list(open_findings(store).worst("corrupt", 1)[0], str(path))
    fill(path, {"t10": "fine"})
    run(store, TWO.model_copy(update={"verdicts": str(path)}))
    assert "t10" not in listed(store)
    assert "duplicate" in audioae(store).stdout


def test_a_part_is_made_once_and_anew_only_for_the_check_that_changed(store, fake, monkeypatch):
    ref, parts = run(store), store.part_fingerprints("findings")
    assert {name.split("-")[0] for name in parts} == {"corrupt", "duplicate"}
    assert parts == store.part_fingerprints("screenings")
    assert run(store) == ref
    assert (fake, store.part_fingerprints("findings")) == (["corrupt"], parts)
    near = ScreenConfig.model_validate({"mislabeled": None, "duplicate": {"near": False}})
    assert run(store, near) != ref
    assert fake == ["corrupt"]
    monkeypatch.setitem(screen.CODE, "corrupt", 99)
    run(store)
    new = store.part_fingerprints("findings") - parts
    assert (fake, {name.split("-")[0] for name in new}) == (["corrupt"] * 2, {"corrupt", "duplicate"})
    assert len(store.versions("findings")) == 3
    current = run(store)
    prune(store, keep=1, grace=timedelta(seconds=-5))
    store.verify(current)
    assert open_findings(store).worst("corrupt", 1)[0], "what it was made from stays too"


def test_another_file_under_the_name_of_an_old_one_is_another_setting(store, fake, tmp_path):
    class Given(Config):
        decoders: tuple[str, ...] = ()

    path = tmp_path / "decoder.pt"
    config = TWO.model_copy(update={"corrupt": Given(decoders=(str(path),))})
    for content in (b"one", b"one", b"other"):
        path.write_bytes(content)
        run(store, config)
    assert len(fake) == 2


def test_another_index_of_the_same_embeddings_decodes_nothing_again(store, fake):
    run(store)
    embeddings = store.require("embeddings")
    make_index(store, read_embeddings(store, embeddings), embeddings, [(0, 5)], recipe="b")
    rows = store.read(run(store)).to_pylist()
    assert fake == ["corrupt"]
    assert "t9" not in [row["track_id"] for row in rows if row["is_issue"]]


def test_after_a_kill_the_checks_that_were_finished_stay(store, fake, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    works = screen.SCREEN["duplicate"]
    monkeypatch.setitem(screen.SCREEN, "duplicate", dies)
    with pytest.raises(KeyboardInterrupt):
        run(store)
    assert store.latest("findings") is None
    monkeypatch.setitem(screen.SCREEN, "duplicate", works)
    run(store)
    assert fake == ["corrupt"]


def test_a_check_that_lacked_audio_is_asked_again(store, fake, monkeypatch):
    works, calls = screen.SCREEN["corrupt"], []

    def lacks(library, *arguments) -> Screened:
        calls.append("lacks")
        return Screened("corrupt", np.array(["t1"]), np.ones(1), 0.5, omitted=["audio cannot be read"], settled=False)

    monkeypatch.setitem(screen.SCREEN, "corrupt", lacks)
    ref, parts = run(store), store.part_fingerprints("findings")
    assert run(store) == ref
    assert (calls, store.part_fingerprints("findings")) == (["lacks"] * 2, parts)
    monkeypatch.setitem(screen.SCREEN, "corrupt", works)
    assert run(store) != ref
    run(store)
    assert fake == ["corrupt"]


def test_a_check_that_cannot_run_says_so_and_the_others_go_on(store, monkeypatch):
    def cannot(*_):
        raise EvaluationError("one label only; two are wanted")

    monkeypatch.setitem(screen.SCREEN, "corrupt", cannot)
    run(store)
    row = next(row for row in open_findings(store).overview() if row["check"] == "corrupt")
    assert (row["screened"], row["omitted"]) == (0, ["the check could not run: one label only; two are wanted"])

    def broken(*_):
        raise StoreError("damaged")

    monkeypatch.setitem(screen.SCREEN, "corrupt", broken)
    monkeypatch.setitem(screen.CODE, "corrupt", 99)
    with pytest.raises(StoreError, match="damaged"):
        run(store)


def test_the_config_chooses_the_checks(tiny_config):
    def checks(*overrides: str) -> list[str] | None:
        config = load_config(PipelineConfig, tiny_config[0], overrides).screen
        return config and list(config.checks)

    assert checks() == ["mislabeled", "corrupt", "duplicate"]
    assert checks("screen.generated={}", "screen.corrupt=null") == ["mislabeled", "generated", "duplicate"]
    assert checks("screen=null") is None
    with pytest.raises(ConfigError, match=r"screen\.duplicat: unknown key; did you mean 'duplicate'"):
        checks("screen.duplicat={}")


def test_no_check_at_all_is_refused(store):
    with pytest.raises(ConfigError, match="no check is wanted"):
        run(store, ScreenConfig(mislabeled=None, corrupt=None, duplicate=None))


def listed(store: Store, check: str = "corrupt", budget: int = 99, **options) -> list[str]:
    return [row["track_id"] for row in open_findings(store).worst(check, budget, **options)[0]]


def fill(path: Path, verdicts: dict[str, str]) -> Path:
    """What a person does with the CSV."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows({**row, "verdict": verdicts.get(row["track_id"], row["verdict"])} for row in rows)
    return path


def test_the_list_groups_keeps_to_its_budget_and_knows_its_check(store, fake):
    run(store)
    found, n_fine = open_findings(store).worst("corrupt", 3)
    assert [(row["rank"], row["track_id"], row["tracks"], row["issues"]) for row in found] == [
        (1, "t10", 3, 3),
        (2, "t13", 1, 1),
        (3, "t14", 1, 1),
    ]
    assert [row["track_id"] for row in found[0]["members"]] == ["t10", "t11", "t12"]
    assert (found[0]["title"], found[0]["why"], n_fine) == ("Title t10", "hum of 0 dB", 0)
    assert listed(store)[-1] == "t29", "what cannot be told comes last"
    assert len(listed(store, issues_only=True)) == 8
    with pytest.raises(SearchError, match=r"no findings of check 'generated' .* there are: corrupt, duplicate"):
        listed(store, "generated")
    with pytest.raises(SearchError, match="budget=0"):
        listed(store, budget=0)


def test_verdicts_come_back_without_the_check_being_asked_again(store, fake, tmp_path):
    before = run(store)
    path = tmp_path / "worst.csv"
    found, _ = open_findings(store).worst("corrupt", 5)
    assert write_list(found, str(path)) == 7, "a row for each track of the album"
    fill(path, {"t10": "fine", "t11": "fine", "t12": "fine", "t13": "fine", "t14": "issue"})
    judged = TWO.model_copy(update={"verdicts": str(path)})
    ref = run(store, judged)
    assert ref != before
    assert fake == ["corrupt"]
    rows = {row["track_id"]: row for row in store.read(ref).to_pylist() if row["check"] == "corrupt"}
    assert [t for t, row in rows.items() if row["is_issue"]] == [f"t{i}" for i in range(14, 20)]
    assert json.loads(rows["t10"]["evidence"])["verdict"] == "fine"
    assert json.loads(rows["t10"]["evidence"])["why"] == "hum of 0 dB"
    assert listed(store, budget=2) == ["t14", "t15"]
    found, n_fine = open_findings(store).worst("corrupt", 2)
    assert (n_fine, found[0]["verdict"]) == (4, "issue")
    measured = open_findings(store).screenings["corrupt"]["measured"]
    assert measured["held out"] == {"auroc": 0.5}
    assert (measured["verdicts"]["issue"], measured["verdicts"]["fine"]) == (1, 4)
    second = tmp_path / "second.csv"
    write_list(found, str(second))
    fill(second, {"t15": "fine"})
    run(store, TWO.model_copy(update={"verdicts": (str(path), str(second))}))
    assert listed(store, budget=2) == ["t14", "t16"], "both files count, and t14 stands in both"
    assert run(store) == before, "without verdicts all is as it was"


def test_a_list_survives_whatever_stands_in_tags(store, fake, tmp_path):
    """Line breaks that only some call one, and what a spreadsheet would compute."""
    run(store)
    found = open_findings(store).worst("corrupt", 2)[0][1:]
    found[0]["members"][0] |= {"title": "one\u2028two\x0bthree\x85", "artist": "=1+1", "album": "@A", "label": "-3"}
    path = tmp_path / "worst.csv"
    write_list(found, str(path))
    with path.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert [row[name] for name in ("artist", "album", "label")] == ["'=1+1", "'@A", "'-3"]
    assert row["title"] == "one\u2028two\x0bthree\x85"
    fill(path, {"t13": "fine"})
    run(store, TWO.model_copy(update={"verdicts": str(path)}))
    assert "t13" not in listed(store)


def test_verdicts_on_a_check_that_is_not_asked_are_not_lost_in_silence(store, fake, tmp_path):
    path = tmp_path / "worst.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t10,fine\ngenerated,t1,fine\ngenerated,t2,issue\n")
    with pytest.raises(ConfigError, match=r"screen\.verdicts: 2 are of generated, which is not asked; give it"):
        run(store, TWO.model_copy(update={"verdicts": str(path)}))
    assert fake == [], "nothing is computed first"


def test_a_group_is_listed_as_long_as_one_of_it_is_an_issue(store, fake, tmp_path):
    path = tmp_path / "worst.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t10,fine\n")
    run(store, TWO.model_copy(update={"verdicts": str(path)}))
    found, n_fine = open_findings(store).worst("corrupt", 1)
    assert [(row["track_id"], row["verdict"]) for row in found[0]["members"]] == [
        ("t11", None),
        ("t12", None),
        ("t10", "fine"),
    ]
    assert (found[0]["issues"], n_fine) == (2, 0)


def test_enough_verdicts_move_the_threshold_of_the_next_run(store, fake, tmp_path, monkeypatch):
    run(store)
    path, more = tmp_path / "worst.csv", tmp_path / "more.csv"
    write_list(open_findings(store).worst("corrupt", 99)[0], str(path))
    fill(path, {f"t{i}": "issue" for i in range(10, 14)} | {f"t{i}": "fine" for i in range(14, 24)} | {"t29": "issue"})
    more.write_text("check,track_id,verdict\n" + "".join(f"corrupt,gone{i},issue\n" for i in range(9)))
    judged = TWO.model_copy(update={"verdicts": (str(path), str(more))})
    run(store, judged)
    told = open_findings(store).screenings["corrupt"]
    assert told["threshold"] == 0.5, "five issues are too few, one without a score; unknown tracks do not count"
    assert told["omitted"] == ["9 verdicts are of tracks that this check did not look at"]
    monkeypatch.setattr(verdicts, "ENOUGH", 4)
    monkeypatch.setattr(screen, "DECIDING", 99)
    rows = {row["track_id"]: row for row in store.read(run(store, judged)).to_pylist() if row["check"] == "corrupt"}
    told = open_findings(store).screenings["corrupt"]
    assert rows["t13"]["score"] < told["threshold"] < rows["t14"]["score"]
    assert told["measured"]["verdicts"]["calibrated"]["precision"] > 0.7
    assert [t for t, row in rows.items() if row["is_issue"]] == ["t10", "t11", "t12", "t13", "t29"]
    assert [rows[t]["confidence"] for t in ("t10", "t14", "t24")] == [1, 0, None], "t24 is beyond what was judged"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"check,track_id,verdict\ncorrupt,t1,maybe\n", "line 2: verdict 'maybe'"),
    ],
)
def test_a_file_of_verdicts_that_cannot_be_used_is_one_message(store, tmp_path, fake, content, message):
    path = tmp_path / "worst.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{re.escape(str(path))}.*{message}"):
        run(store, TWO.model_copy(update={"verdicts": str(path)}))
    assert fake == [], "nothing is computed first"


def audioae(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["findings", *arguments, "--store", store.root])


def test_the_command_shows_an_overview_the_worst_and_a_track(store, fake, tmp_path):
    assert "run python -m flows.screen CONFIG" in str(audioae(store).exception)
    run(store)
    shown = audioae(store).stdout
    for words in ("corrupt", "duplicate", "held out auroc 0.5", "1 tracks without an embedding"):
        assert words in shown, words
    overview = json.loads(audioae(store, "--json").stdout)
    assert [(row["check"], row["issues"], row["cannot tell"]) for row in overview["checks"]] == [
        ("corrupt", 10, 1),
        ("duplicate", 4, 0),
    ]
    out = tmp_path / "worst.csv"
    shown = audioae(store, "--check", "corrupt", "--budget", "2", "--out", str(out)).stdout
    for words in ("album: C: 3 tracks", "hum of 0 dB", "listen at 1.5, 2.0 s", "4 tracks written to"):
        assert words in shown, words
    with out.open(newline="") as stream:
        assert [row["track_id"] for row in csv.DictReader(stream)] == ["t10", "t11", "t12", "t13"]
    worst = json.loads(audioae(store, "--check", "corrupt", "--budget", "500", "--json").stdout)["worst"]
    assert len(worst) == 18
    shown = audioae(store, "--track", "t9").stdout
    assert "[/b] Title" in audioae(store, "--check", "corrupt").stdout
    assert "[/b] Title" in audioae(store, "--track", "t14").stdout
    for words in ("cutoff_hz", "11000", "copies", "the same recording"):
        assert words in shown, words
    assert "no check looked at it" in audioae(store, "--track", "t30").stdout
    embeddings = store.require("embeddings")
    make_index(store, read_embeddings(store, embeddings), embeddings, [], recipe="b")
    assert "run python -m flows.screen CONFIG" in audioae(store).stdout, "another index is current now"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check", "corupt"), "there are: corrupt, duplicate"),
        (("--check", "corrupt", "--budget", "0"), "budget=0"),
        (("--out", "worst.csv"), "add --check, one of corrupt, duplicate"),
        (("--check", "corrupt", "--out", "/nowhere/worst.csv"), "/nowhere/worst.csv: cannot be written"),
        (("--track", "nothing like it"), "no track 'nothing like it'"),
    ],
)
def test_a_wrong_question_is_one_message(store, fake, arguments, message):
    run(store)
    assert message in str(audioae(store, *arguments).exception)
