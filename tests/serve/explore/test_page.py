"""The explorer's page over HTTP: its files, their tags, its policy, and what it says before it is built."""

import re
from pathlib import Path

import pytest

from audioae.serve.explore import build, page
from tests.serve.serving import Server


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small files in place of the bundle."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_bytes((build.WEB / "index.html").read_bytes())
    for name in ("explorer.js", "explorer.css", "explorer.svg", "explorer.licenses.txt"):
        (folder / name).write_text(f"/* {name} */")
    monkeypatch.setattr(page, "STATIC", folder)
    return folder


def test_the_page_and_its_files_come_from_this_server(served: Server, built: Path):
    with served.client() as client:
        answer = client.get("/explore")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
        assert addresses == ["explore/explorer.svg", "explore/explorer.css", "explore/explorer.js"]
        kinds = ["image/svg+xml", "text/css", "text/javascript"]
        for address, kind in zip(addresses, kinds, strict=True):
            file = client.get(f"/{address}")
            assert file.text == f"/* {Path(address).name} */"
            assert file.headers["Content-Type"].startswith(kind)
            assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert client.get("/explore/..%2fbuild.py").status_code == 404
        assert client.get("/explore/main.js").json()["detail"] == "no file 'main.js' of this page"


def test_a_slash_at_the_end_leads_to_the_page(served: Server, built: Path):
    """Below a path of a proxy too, and what the address asks for is kept; a browser keeps its fragment itself."""
    with served.client() as client:
        answer = client.get("/explore/?a=1&b=%2F")
        assert (answer.status_code, answer.headers["Location"]) == (308, "../explore?a=1&b=%2F")
        assert client.get("/explore/").headers["Location"] == "../explore"
        assert client.get("/explore/", follow_redirects=True).text == client.get("/explore").text


def test_the_policy_allows_no_inline_code_and_no_other_host(served: Server, built: Path):
    with served.client() as client:
        policy = client.get("/explore").headers["Content-Security-Policy"]
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == parts["frame-ancestors"] == parts["base-uri"] == parts["form-action"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
    assert not re.search(r"unsafe|http|\*", policy)


def test_a_file_that_has_not_changed_is_not_sent_again(served: Server, built: Path):
    with served.client() as client:
        first = client.get("/explore/explorer.js")
        known = {"If-None-Match": first.headers["ETag"]}
        again = client.get("/explore/explorer.js", headers=known)
        assert (again.status_code, again.content) == (304, b"")
        (built / "explorer.js").write_text("/* another version */")
        changed = client.get("/explore/explorer.js", headers=known)
        assert (changed.status_code, changed.text) == (200, "/* another version */")


def test_a_page_that_is_not_built_says_how_to_build_it(served: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(page, "STATIC", tmp_path / "none")
    with served.client() as client:
        answer = client.get("/explore")
        assert answer.status_code == 503
        assert "python -m audioae.serve.explore.build" in answer.text
        assert client.get("/explore/explorer.js").status_code == 404


def test_the_page_is_open_where_keys_are_needed(locked: Server, built: Path):
    with locked.client() as client:
        assert client.get("/explore").status_code == 200
        assert client.get("/explore/").status_code == 308
        assert client.get("/explore/explorer.css").status_code == 200
        assert client.get("/v1/map").status_code == 401
