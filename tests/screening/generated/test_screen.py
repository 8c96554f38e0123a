"""The check generated on a small catalog, from end to end."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from audioae.api import Library
from audioae.errors import ModelError
from audioae.library.catalog_columns import CatalogColumns
from audioae.pipeline.config import Workers
from audioae.screening.generated.artifacts import ARTIFACT_NAMES
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.check import self_test
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.screen import choose_sample, eligible, screen_generated
from audioae.screening.generated.vocoders import FAMILIES
from audioae.screening.result import Screened
from audioae.store.audio_schemas import RESIDUE_DIM
from audioae.store.dataset import Store

WORKERS = Workers(2)


class Coarse(torch.nn.Module):
    """Every second sample, twice."""

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform[:, :, ::2].repeat_interleave(2, dim=2)


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def library(chain, tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("generated") / "store"
    shutil.copytree(chain[0].root, root)
    return Library(Store(str(root)))


@pytest.fixture(scope="module")
def screened(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Screened:
    path = tmp_path_factory.mktemp("decoder") / "coarse.pt"
    torch.jit.save(torch.jit.script(Coarse()), str(path))
    settings = {"max_sections": 1, "sample_s": 24.0, "excerpt_s": 3.0, "decoders": [str(path)]}
    return screen_generated(library, GeneratedConfig.model_validate(settings), WORKERS, quiet)


def test_every_track_gets_one_of_three_answers(library: Library, screened: Screened):
    ids, _, _ = eligible(library)
    assert screened.check == "generated"
    assert screened.track_ids.tolist() == ids.tolist()
    for row, score in enumerate(screened.score):
        answer = screened.evidence.get(row, {"answer": "real"})["answer"]
        assert answer == ("cannot tell" if np.isnan(score) else "generated" if score < 0.5 else "real")
    shown = [screened.evidence[row] for row in screened.evidence]
    assert all(entry["why"] for entry in shown)
    reasons = [entry["why"] for entry in shown if entry["answer"] != "cannot tell"]
    assert reasons
    assert all(why.startswith("log odds of a decoder ") for why in reasons)
    assert all(set(rule) == {"rule", "value", "limit", "unit"} for entry in shown for rule in entry.get("rules", []))


def test_the_sample_takes_artists_in_turn_until_it_is_long_enough():
    artifacts = np.ones((40, RESIDUE_DIM), np.float32)
    artifacts[:, 0], artifacts[:, 1] = 18.0, 16_000.0
    artifacts[:3, 1], artifacts[3, 2:] = 4_000.0, np.nan
    group = np.array([f"artist {i % 5}" for i in range(40)], object)
    rows = choose_sample(artifacts, group, GeneratedConfig(sample_s=60.0))
    assert len(rows) == 10
    assert not set(rows) & {0, 1, 2, 3}
    assert sorted(group[rows[:5]].tolist()) == sorted(set(group.tolist()))
    artifacts[:, 0] = 3.0
    assert len(choose_sample(artifacts, group, GeneratedConfig(sample_s=60.0))) == 20
    assert len(choose_sample(artifacts, group, GeneratedConfig(sample_s=1e3))) == 36


def test_measures_itself(screened: Screened):
    assert set(screened.measured["families"]) == {*FAMILIES, "own_decoder", "given: coarse"}
    assert all(0 <= of[key] <= 1 for of in screened.measured["families"].values() for key in ("known", "left_out"))
    n_real = screened.measured["n_real"]
    assert 8 <= n_real < 100
    assert screened.measured["tpr"] == {"0.01": None, "0.001": None}
    assert f"too few tracks to tell ({n_real}; wanted at least 100)" in self_test(screened.measured)[1]
    assert screened.measured["known"] > 0.7  # eight tracks of 3 s are enough to see that it works
    assert 0 <= screened.measured["false_positive_rate"] <= 1
    assert screened.measured["abstained"] == pytest.approx(np.isnan(screened.score).mean())


def test_artifacts_are_measured_once(library: Library, screened: Screened):
    assert len(ARTIFACT_NAMES) == RESIDUE_DIM
    store, (ids, _, _) = library.store, eligible(library)
    ref = store.require("residues")
    assert store.read(ref)["track_id"].to_pylist() == ids.tolist()
    calls: list[tuple[str, int, int]] = []
    artifacts, omitted = measure_artifacts(library, ids, 1, WORKERS, lambda *call: calls.append(call))
    assert (calls, omitted, store.require("residues")) == ([], (), ref)
    assert artifacts.shape == (len(ids), RESIDUE_DIM)
    assert np.isfinite(artifacts[:, 2]).all()
    measure_artifacts(library, ids, 2, WORKERS, lambda *call: calls.append(call))
    assert len(calls) == len(ids)
    assert store.require("residues") != ref


def test_a_missing_file_is_tried_again(library: Library, screened: Screened):
    ids, uris, _ = eligible(library)
    gone = Path(uris[3])
    hidden = gone.rename(gone.with_suffix(".hidden"))
    try:
        artifacts, omitted = measure_artifacts(library, ids, 3, WORKERS, quiet)
    finally:
        hidden.rename(gone)
    assert np.isnan(artifacts[3]).all()
    assert np.isfinite(np.delete(artifacts, 3, axis=0)[:, 2]).all()
    assert omitted[0].startswith("1 track could not be read again; the first: ")
    assert "unreadable: No such file" in omitted[0]
    artifacts, omitted = measure_artifacts(library, ids, 3, WORKERS, quiet)
    assert np.isfinite(artifacts[3, 2])
    assert omitted == ()


def test_cannot_tell_for_three_tracks(library: Library):
    few = Library(library.store)
    few.columns = CatalogColumns.of(library.tracks.slice(0, 3))
    few_screened = screen_generated(few, GeneratedConfig(max_sections=1), WORKERS, quiet)
    assert len(few_screened.score) == 3
    assert np.isnan(few_screened.score).all()
    assert {entry["answer"] for entry in few_screened.evidence.values()} == {"cannot tell"}
    assert few_screened.omitted[-1].startswith("the check cannot tell for any track: 3 tracks of")


def test_a_damaged_decoder_is_one_error(library: Library, tmp_path: Path):
    (tmp_path / "net.pt").write_bytes(b"damaged")
    config = GeneratedConfig.model_validate({"decoders": [str(tmp_path / "net.pt")]})
    with pytest.raises(ModelError, match=r"net.pt: not a TorchScript module, or damaged"):
        screen_generated(library, config, WORKERS, quiet)


def test_a_missing_pyworld_is_one_error(library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = GeneratedConfig.model_validate({"decoders": [{"kind": "world"}]})
    with pytest.raises(ModelError, match=r"pyworld is not installed; install it .* or remove {kind: world}"):
        screen_generated(library, config, WORKERS, quiet)
