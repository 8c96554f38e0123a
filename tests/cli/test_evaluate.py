"""`audioae evaluate` of a file of vectors by few artists: nothing claims what cannot be told."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from audioae.cli import app
from audioae.pages.metric_sections import metric_table


@pytest.mark.parametrize(
    ("n_artists", "note"), [(3, "too few artists to tell: 3"), (1, "all 40 tracks are of one artist")]
)
def test_vectors_by_few_artists(tmp_path, n_artists, note):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    vectors = rng.standard_normal((40, 8)).astype(np.float32) + 2 * labels[:, None]
    for name in ("mine", "theirs"):
        np.savez(
            tmp_path / f"{name}.npz",
            id=np.array([f"t{i:02}" for i in range(40)]),
            vector=vectors + (name == "theirs") * rng.standard_normal((40, 8)).astype(np.float32),
            label=np.array(["slow", "fast"])[labels],
            artist=np.array([f"artist {i % n_artists}" for i in range(40)]),
        )
    arguments = ["evaluate", str(tmp_path / "mine.npz"), "--against", str(tmp_path / "theirs.npz")]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert note in " ".join(result.output.split())
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text(), parse_constant=pytest.fail)
    metric = next(metric for metric in document["metrics"] if metric["key"] == "mAP by label")
    own, other = metric["results"].values()
    assert metric["note"].startswith(note)
    assert (own["low"] is None) == (other["verdict"] is None) == (n_artists == 3)
    assert ("too few to tell" in result.output) == (n_artists == 3)
    assert note in (tmp_path / "out" / "evaluation.html").read_text()
    for old in document["metrics"]:  # a document of an earlier version has no notes
        del old["note"]
    assert note not in metric_table(document).body
