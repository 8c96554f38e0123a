"""The page of the API: it is whole, it needs no other host, and it names no key."""

import re

from tests.serve.serving import Server


def test_the_page_and_its_files_come_from_this_server(served: Server):
    with served.client() as client:
        page = client.get("/docs")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert addresses == [
            "docs/favicon-32x32.png",
            "docs/swagger-ui.css",
            "docs/swagger-ui-bundle.js",
            "docs/start.js",
        ]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        for address in addresses:
            answer = client.get(f"/{address}")
            assert answer.status_code == 200, address
            assert len(answer.content) > 100, address
        assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text
        assert 'url: "openapi.json"' in client.get("/docs/start.js").text
        assert client.get("/docs/..%2f__init__.py").status_code == 404
        assert client.get("/docs/other.js").json()["detail"] == "no file 'other.js' of this page"


def test_the_page_is_open_where_keys_are_needed_and_says_how_to_send_one(locked: Server):
    with locked.client() as client:
        assert client.get("/v1/index").status_code == 401
        assert client.get("/docs").status_code == 200
        assert client.get("/docs/swagger-ui.css").status_code == 200
        document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert document["security"] == [{"key": []}, {}]


def test_every_operation_says_what_its_errors_are(served: Server):
    with served.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    own = [(path, verb, operation) for path, verbs in paths.items() for verb, operation in verbs.items()]
    assert ("/v1/similar", "post") in {(path, verb) for path, verb, _ in own}
    for path, verb, operation in own:
        if path.startswith("/v1/"):
            assert operation.get("summary"), (path, verb)
            assert "application/problem+json" in operation["responses"]["default"]["content"], (path, verb)
            assert "422" not in operation["responses"], "FastAPI's own form of errors, which is not ours"
