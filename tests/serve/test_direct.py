"""What is called directly, what is FastAPI's, and that nobody can tell which."""

import pytest
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.testclient import TestClient

from audioae.serve.direct import Direct, call_directly
from tests.serve.serving import Server

BODY = '{"seeds": [{"track_id": "t07"}], "k": 3}'


class Model(BaseModel):
    n: int


async def plain(request: Request) -> Response:
    return Response(request.query_params.get("x", "none"))


async def with_body(body: Model, http: Request) -> Response:
    return Response(f"{body.n} {http.method}")


async def with_query(request: Request, x: int) -> Response:
    return Response(str(x))


async def not_a_response(request: Request) -> dict:
    return {}


def in_a_thread(request: Request) -> Response:
    return Response("thread")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.get("/plain")(plain)
    app.post("/body")(with_body)
    app.get("/query")(with_query)
    app.get("/dict")(not_a_response)
    app.get("/thread")(in_a_thread)
    app.get("/path/{name}")(plain)
    app.get("/guarded", dependencies=[Depends(lambda: None)])(plain)
    call_directly(app)
    return app


def test_only_endpoints_of_a_fixed_path_and_one_body_are_called_directly(app: FastAPI):
    assert isinstance(app.router.middleware_stack, Direct)
    assert set(app.router.middleware_stack._endpoints) == {("GET", "/plain"), ("POST", "/body")}


def test_every_endpoint_answers(app: FastAPI):
    with TestClient(app) as client:
        assert client.get("/plain?x=1").text == "1"
        assert client.post("/body", json={"n": 4}).text == "4 POST"
        assert client.get("/query?x=1").text == "1"
        assert client.get("/dict").json() == {}
        assert client.get("/thread").text == "thread"
        assert client.get("/path/a").text == "none"
        assert client.post("/plain").status_code == 405
        assert client.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", "", None]
)
def test_a_body_is_json_whatever_its_type_says(served: Server, content_type: str | None):
    headers = {} if content_type is None else {"Content-Type": content_type}
    with served.client() as client:
        answer = client.post("/v1/similar", content=BODY, headers=headers)
    assert answer.status_code == 200
    assert len(answer.json()["neighbors"]) == 3


def test_the_document_of_the_interface_is_fastapis(served: Server):
    with served.client() as client:
        operation = client.get("/openapi.json").json()["paths"]["/v1/similar"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith("/SimilarRequest")
    assert "200" in operation["responses"]
