"""Keys: what their entries may look like, how they are found, and what a request without one gets."""

import pytest

from audioae.errors import ConfigError
from audioae.serve.auth import Keys, hash_key, make_key, sent_key
from tests.serve.conftest import ADMIN_KEY, READ_KEY
from tests.serve.serving import Server

A, B = hash_key("key a"), hash_key("key b")


def test_a_key_is_found_by_its_content_with_its_name_and_role():
    keys = Keys.parse(f"# ours\nreader:{A}\n\n  boss:{B}:admin   # the job\n", "keys.txt")
    assert len(keys) == 2
    assert [keys.role_of("key a"), keys.role_of("key b"), keys.role_of("key c")] == ["read", "admin", None]
    found = keys.find(b"key b")
    assert found is not None
    assert (found.name, found.role) == ("boss", "admin")
    assert keys.find("") is None
    assert keys.find("key a" + "x" * 5000) is None
    assert not Keys()


def test_one_name_may_have_two_keys_but_one_key_only_one_entry():
    assert len(Keys.parse(f"a:{A}\na:{B}:admin", "k")) == 2
    with pytest.raises(ConfigError, match=r"^k: line 3: the same key as line 1; remove one$"):
        Keys.parse(f"a:{A}\n#\nb:{A}:admin", "k")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("topsecret", "wanted name:sha256"),
        ("a:topsecret", "wanted name:sha256.*got 9 characters.*serve-key NAME"),
        (f"a:{A}:owner", "wanted the role read, judge or admin"),
        (f"a b:{A}", "wanted a name of letters"),
        (f":{A}", "wanted a name of letters"),
        (f"a:{A.upper()}", "64 hex digits"),
        (f"a:{A}:", ""),
    ],
)
def test_a_malformed_entry_names_its_line_and_never_its_content(entry, message, tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"ok:{B}\n{entry}\n")
    if not message:
        assert len(Keys.load(str(path))) == 2
        return
    with pytest.raises(ConfigError, match=message) as caught:
        Keys.load(str(path))
    assert str(caught.value).startswith(f"{path}: line 2: ")
    for secret in ("topsecret", A, A.upper(), "owner"):
        assert secret not in str(caught.value)


def test_keys_of_a_file_and_of_the_environment_are_all_valid(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"a:{A}\n")
    keys = Keys.load(str(path), f"b:{B}:admin, c:{hash_key('key c')}")
    assert [keys.role_of(f"key {name}") for name in "abc"] == ["read", "admin", "read"]
    assert not Keys.load(None, None)
    assert not Keys.load(None, "")
    with pytest.raises(ConfigError, match=r"^AUDIOAE_API_KEYS: entry 2: wanted name:sha256"):
        Keys.load(None, f"b:{B},oops")


def test_a_file_that_is_missing_or_empty_is_an_error(tmp_path):
    path = tmp_path / "keys"
    with pytest.raises(ConfigError, match=r"keys: the key file cannot be read \(.*No such file"):
        Keys.load(str(path))
    path.write_text("# none yet\n")
    with pytest.raises(ConfigError, match="no keys in it; make one with `audioae serve-key NAME`"):
        Keys.load(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        Keys.load(str(path))


def test_new_keys_are_long_and_different():
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {len("audioae_") + 43}


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        (b"x-api-key", b" abc ", b"abc"),
        (b"api-key", b"abc", b"abc"),
        (b"authorization", b"Bearer abc", b"abc"),
        (b"authorization", b"bearer  abc", b"abc"),
        (b"authorization", b"Basic abc", None),
        (b"cookie", b"abc", None),
    ],
)
def test_the_headers_that_carry_a_key(name, value, key):
    assert sent_key([(b"host", b"here"), (name, value)]) == key


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": READ_KEY}, {"Authorization": f"Bearer {READ_KEY}"}, {"api-key": READ_KEY}, {"X-API-Key": ADMIN_KEY}],
)
def test_a_valid_key_opens_what_is_locked(locked, headers):
    with locked.client() as client:
        assert client.get("/v1/index", headers=headers).status_code == 200


def test_without_a_valid_key_nothing_but_the_probes_is_open(locked):
    with locked.client() as client:
        for headers, detail in (({}, "this server needs a key"), ({"X-API-Key": "guess"}, "this key is not valid")):
            for path in ("/v1/index", "/metrics", "/v1/similar", "/collections", "/no/such/path", "/api/health"):
                answer = client.get(path, headers=headers)
                assert (answer.status_code, answer.json()["detail"]) == (401, detail), path
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
                assert "guess" not in answer.text
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_pages_of_other_origins_are_let_in_only_if_named(served, serve):
    origin = {"Origin": "https://music.example"}
    with served.client() as client:
        assert "access-control-allow-origin" not in client.get("/v1/index", headers=origin).headers
    open_to_one = serve(served.store, cors=("https://music.example",))
    with open_to_one.client() as client:
        answer = client.get("/v1/index", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://music.example"
        assert (
            "access-control-allow-origin"
            not in client.get("/v1/index", headers={"Origin": "https://x.example"}).headers
        )
        asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        assert client.options("/v1/similar", headers=asked).status_code == 200


def test_without_keys_a_page_of_another_name_is_refused(served: Server, locked: Server):
    names = {"evil.example": 421, "127.0.0.1.evil.example:80": 421, "": 421, "[::1]:8000": 200, "music.localhost": 200}
    with served.client() as client:
        for name, status in names.items():
            answer = client.get("/livez", headers={"Host": name})
            assert answer.status_code == status, name
        refused = client.get("/v1/index", headers={"Host": "evil.example"}).json()
        assert refused["action"] == "send Host: localhost, or start the server with keys"
    with locked.client(READ_KEY) as client:
        assert client.get("/v1/index", headers={"Host": "music.example"}).status_code == 200
