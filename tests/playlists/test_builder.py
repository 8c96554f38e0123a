"""Playlists and illustrations over a finished chain, by call and by command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from typer.testing import CliRunner

from audioae.api import Library
from audioae.cli import app
from audioae.errors import AudioaeError, SearchError
from audioae.library.filters import Filters
from audioae.playlists.builder import Playlists
from audioae.playlists.latent_preview import preview_path
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.store.dataset import Store


@pytest.fixture(scope="module")
def library(chain) -> Library:
    return Library(chain[0])


@pytest.fixture(scope="module")
def playlists(library: Library) -> Playlists:
    return Playlists(library)


@pytest.fixture(scope="module")
def ids(playlists: Playlists) -> list[str]:
    return playlists.subject.metadata.ids.tolist()


@pytest.fixture
def own(chain, tmp_path: Path) -> Store:
    """A copy of the finished chain, to write to."""
    shutil.copytree(chain[0].root, tmp_path / "store")
    return Store(str(tmp_path / "store"))


EASY = {"artist_window": 1, "max_per_artist": None}


class TestPlaylists:
    def test_document_tells_everything_of_each_track(self, playlists: Playlists, ids: list[str]):
        answer = playlists.make([ids[0], ids[5]], PlaylistOptions(n=6, **EASY))
        document = answer.document
        entries = document["entries"]
        assert [entry["position"] for entry in entries] == [1, 2, 3, 4, 5, 6]
        assert [entry["track_id"] for entry in entries] == [ids[row] for row in answer.playlist.rows]
        assert (entries[0]["track_id"], entries[-1]["track_id"]) == (ids[0], ids[5])
        assert [entry["waypoint"] for entry in entries] == [True, *[False] * 4, True]
        assert entries[0]["step"] is None
        assert entries[1]["step"] == pytest.approx(answer.playlist.steps[0])
        assert all(-60 < entry["energy"] < 0 and entry["duration_s"] > 5 for entry in entries)
        assert document["duration_s"] == pytest.approx(sum(entry["duration_s"] for entry in entries))
        assert set(document["smoothness"]) == {"playlist", "nearest", "random order", "straight line"}
        json.dumps(document)

    def test_a_title_names_a_track_and_filters_hold(self, playlists: Playlists, library: Library, ids: list[str]):
        title = library.find(ids[0])["title"]
        entries = playlists.make([title, ids[1]], PlaylistOptions(n=5, **EASY), Filters(deny=ids[2:10])).document[
            "entries"
        ]
        assert entries[0]["track_id"] == ids[0]
        assert not {entry["track_id"] for entry in entries} & set(ids[2:10])

    def test_facts_come_before_estimates(self, library: Library, ids: list[str], tmp_path: Path):
        path = tmp_path / "facts.csv"
        tempos = np.linspace(90, 140, len(ids))
        pacsv.write_csv(pa.table({"track_id": ids, "bpm": tempos, "energy": tempos / 200}), path)
        options = PlaylistOptions(n=5, tempo=Curve(monotone=True), **EASY)
        document = Playlists(library, facts=str(path)).make([ids[0], ids[-1]], options).document
        found = [entry["tempo"] for entry in document["entries"]]
        assert found == sorted(found)
        assert found[0] == 90
        assert document["entries"][0]["energy"] == pytest.approx(0.45)
        assert document["notes"] == []

    def test_tempo_and_edges_are_heard_where_they_are_asked_for(self, own: Store, ids: list[str]):
        seen = []
        made = Playlists(Library(own), report=lambda what, done, total: seen.append((what, done, total)))
        options = PlaylistOptions(n=5, tempo=Curve(max_step=500), seamless=1.0, **EASY)
        document = made.make([ids[0], ids[1]], options).document
        assert all(30 < entry["tempo"] < 350 for entry in document["entries"] if entry["tempo"] is not None)
        assert seen[-1] == ("hearing", len(ids), len(ids))
        assert document["notes"] == [f"made from the {len(ids)} tracks nearest to the path, which were listened to"]

    def test_tempo_is_heard_once(self, own: Store, ids: list[str]):
        """Also by whatever opens the store next; a version has all that is known."""
        options = PlaylistOptions(n=5, tempo=Curve(monotone=True), **EASY)
        heard = []

        def make(end: str, allowed: list[str]) -> dict:
            made = Playlists(Library(Store(own.root)), report=lambda what, done, total: heard.append(total))
            return made.make([ids[0], end], options, Filters(allow=allowed)).document

        first = make(ids[1], ids[:8])
        assert set(heard) == {8}
        assert own.manifest(own.require("tempos")).rows == 8
        heard.clear()
        assert make(ids[1], ids[:8]) == first
        assert heard == []
        make(ids[9], ids[4:12])
        assert set(heard) == {4}  # of nine
        assert own.manifest(own.require("tempos")).rows == 12

    def test_a_store_that_cannot_be_written_to_answers_all_the_same(self, own: Store, ids: list[str]):
        Path(own.root, "tempos").write_text("in the way")
        options = PlaylistOptions(n=5, tempo=Curve(max_step=500), **EASY)
        document = Playlists(Library(own)).make([ids[0], ids[1]], options, Filters(allow=ids[:5])).document
        assert len(document["entries"]) == 5
        assert "tempos heard could not be kept" in document["notes"][1]

    def test_bad_input(self, playlists: Playlists, library: Library, ids: list[str], tmp_path: Path):
        options = PlaylistOptions(n=5)
        with pytest.raises(SearchError, match="no track 'nothing like it'"):
            playlists.make([ids[0], "nothing like it"], options)
        with pytest.raises(SearchError, match="is a file and no track of"):
            playlists.make([ids[0], __file__], options)
        with pytest.raises(SearchError, match="stands twice"):
            playlists.make([ids[0], ids[0]], options)
        with pytest.raises(SearchError, match="no track has the label 'Polka'"):
            playlists.make([ids[0], ids[1]], options, Filters(label=["Polka"]))
        facts = tmp_path / "none.csv"
        facts.write_text("track_id,tempo\nx,100\n")
        with pytest.raises(AudioaeError, match="none of its 1 rows names"):
            Playlists(library, facts=str(facts)).make([ids[0], ids[1]], options)


class TestIllustration:
    def test_goes_from_one_decoded_track_to_the_other(self, library: Library, ids: list[str]):
        ends = [library.find(ids[0]), library.find(ids[3])]
        made = preview_path(library, ends, n=3)
        assert made.mels.shape == (3, 128, 130)
        assert made.mels.min() >= -80
        assert made.mels.max() <= 0
        assert made.shares.tolist() == [0.0, 0.5, 1.0]
        assert len(made.audio) > 8_000
        assert np.abs(made.mels[0] - made.mels[2]).mean() > np.abs(made.mels[0] - made.mels[1]).mean()
        again = preview_path(library, [ends[0], ends[1], ends[0]], n=5)
        np.testing.assert_allclose(again.mels[0], made.mels[0], atol=1e-3)
        np.testing.assert_allclose(again.mels[2], made.mels[2], atol=1e-3)
        np.testing.assert_allclose(again.mels[4], made.mels[0], atol=1e-3)

    def test_of_one_track_there_is_none(self, library: Library, ids: list[str]):
        with pytest.raises(SearchError, match="7 points between 1 waypoints"):
            preview_path(library, [library.find(ids[0])])


class TestCommand:
    def run(self, chain, *arguments: str):
        return CliRunner().invoke(app, ["playlist", *arguments, "--store", str(chain[0].root)])

    def test_writes_every_kind_of_file(self, chain, ids: list[str], tmp_path: Path):
        paths = [tmp_path / f"walk{end}" for end in (".m3u8", ".csv", ".json", ".png", ".preview.png", ".mp3")]
        outs = [word for path in paths for word in ("--out", str(path))]
        result = self.run(chain, ids[0], ids[1], "-n", "5", *outs)
        assert result.exit_code == 0, result.output
        assert "5 tracks" in result.output
        assert result.output.count("an illustration") == 2
        assert paths[0].read_text().count("#EXTINF") == 5
        assert len(paths[1].read_text().splitlines()) == 6
        assert len(json.loads(paths[2].read_text())["entries"]) == 5
        assert [path.read_bytes()[:4] for path in paths[3:5]] == [b"\x89PNG"] * 2

    def test_filters_are_passed_on(self, chain, ids: list[str], tmp_path: Path):
        (tmp_path / "ids").write_text("\n".join(ids[4:8]))
        filters = ["--allow", str(tmp_path / "ids"), "--duration", "1:", "--added-after", "2020-01-01"]
        result = self.run(chain, ids[0], ids[1], "-n", "5", "--max-per-artist", "0", *filters, "--json")
        found = {entry["track_id"] for entry in json.loads(result.stdout)["entries"]}
        assert found - {ids[0], ids[1]} < set(ids[4:8])
        late = self.run(chain, ids[0], ids[1], "--added-after", "2100-01-01")
        assert "no track of 24 passes all filters" in str(late.exception)

    def test_json_is_the_document(self, chain, ids: list[str]):
        result = self.run(chain, ids[0], ids[1], "--minutes", "0.7", "--tolerance", "0.2", "--json")
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
            (["-n", "5", "--minutes", "3"], "wanted one of the two"),
            (["--max-per-artist", "-1"], "max_per_artist: got -1"),
        ],
    )
    def test_bad_input(self, chain, ids: list[str], arguments: list[str], message: str):
        result = self.run(chain, ids[0], ids[1], *arguments)
        assert isinstance(result.exception, AudioaeError)
        assert message in str(result.exception)
