"""The command `audioae playlist`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audioae.cli import app
from audioae.errors import AudioaeError


@pytest.fixture(scope="module")
def ids(chain) -> list[str]:
    store = chain[0]
    return sorted(store.read(store.require("embeddings"), ["track_id"])["track_id"].to_pylist())


def run(chain, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["playlist", *arguments, "--store", str(chain[0].root)])


def test_writes_every_kind_of_file(chain, ids: list[str], tmp_path: Path):
    paths = [tmp_path / f"walk{end}" for end in (".m3u8", ".csv", ".json", ".png", ".preview.png", ".mp3")]
    outs = [word for path in paths for word in ("--out", str(path))]
    result = run(chain, ids[0], ids[1], "-n", "5", *outs)
    assert result.exit_code == 0, result.output
    assert "5 tracks" in result.output
    assert result.output.count("an illustration") == 2
    assert paths[0].read_text().count("#EXTINF") == 5
    assert len(paths[1].read_text().splitlines()) == 6
    assert len(json.loads(paths[2].read_text())["entries"]) == 5
    assert [path.read_bytes()[:4] for path in paths[3:5]] == [b"\x89PNG"] * 2


def test_applies_filters(chain, ids: list[str], tmp_path: Path):
    (tmp_path / "ids").write_text("\n".join(ids[4:8]))
    filters = ["--allow", str(tmp_path / "ids"), "--duration", "1:", "--added-after", "2020-01-01"]
    result = run(chain, ids[0], ids[1], "-n", "5", "--max-per-artist", "0", *filters, "--json")
    picked = {entry["track_id"] for entry in json.loads(result.stdout)["entries"]}
    assert picked - {ids[0], ids[1]} < set(ids[4:8])
    late = run(chain, ids[0], ids[1], "--added-after", "2100-01-01")
    assert "no track of 24 passes all filters" in str(late.exception)


def test_json_is_the_document(chain, ids: list[str]):
    result = run(chain, ids[0], ids[1], "--minutes", "0.7", "--tolerance", "0.2", "--json")
    document = json.loads(result.stdout)
    assert document["duration_s"] == pytest.approx(42, abs=12)
    assert document["options"]["duration_s"] == 42


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tempo", "fast"], "got 'fast', wanted monotone, a maximum step, or both"),
        (["--energy", "monotone,-3"], "wanted a maximum step above 0"),
        (["--year", "199x"], "wanted a number, or two with a colon"),
        (["--out", "walk.pls"], "wanted a file that ends in"),
        (["--out", "/nowhere/walk.csv"], "no folder /nowhere; create it first"),
        (["--allow", "/nowhere/ids"], "cannot be read"),
        (["-n", "5", "--minutes", "3"], "wanted exactly one of the two"),
        (["--max-per-artist", "-1"], "max_per_artist: got -1"),
    ],
)
def test_refuses_bad_options(chain, ids: list[str], arguments: list[str], message: str):
    result = run(chain, ids[0], ids[1], *arguments)
    assert isinstance(result.exception, AudioaeError)
    assert message in str(result.exception)
