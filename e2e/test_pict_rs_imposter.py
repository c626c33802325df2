"""The imposter answers as pict-rs does: the same rows are asked of a real one when PICTRS is set (`make e2e-pictrs`)."""
import hashlib
import os

import pict_rs
import pictures
import pytest
import wire
from gate import wait_until
from pict_rs_imposter import PictRsImposter

KEY = {"X-Api-Token": "a-key-for-tests"}
MISSING = "00000000-0000-4000-8000-000000000000.png"
DETAILS = {"width", "height", "frames", "content_type", "created_at", "format", "blurhash"}


@pytest.fixture(scope="module", params=["imposter", "real"])
def server(request, room):
    if request.param == "imposter":
        running = PictRsImposter(room / "imposter").start()
    elif os.environ.get("PICTRS"):
        running = pict_rs.PictRs(os.environ["PICTRS"], room / "real").start()
    else:
        pytest.skip("make e2e-pictrs PICTRS=/path/to/pict-rs")
    yield running
    running.end()


def ask(server, method, target, headers=None, body=b""):
    with wire.Wire(server.media, 60) as connection:
        headers = list((headers or {}).items()) + ([("Content-Length", len(body))] if body or method == "POST" else [])
        connection.send(wire.head(method, target, headers) + body)
        return connection.read(head_only=method == "HEAD")


def upload(server, data, target="/image", headers=(), name="x.jpg"):
    content_type, body = wire.multipart([(name, "image/jpeg", data)])
    return ask(server, "POST", target, {"Content-Type": content_type, **dict(headers)}, body)


@pytest.fixture(scope="module")
def stored(server):
    answer = upload(server, pictures.jpeg(1))
    assert answer.status == 201, answer
    return answer.json()["files"][0]


def test_an_upload_has_details(stored):
    assert stored["file"].endswith(".jpeg") and set(stored["details"]) == DETAILS
    assert stored["details"]["content_type"] == "image/jpeg" and stored["details"]["format"] == "Image"


@pytest.mark.parametrize("target, status, code", [
    ("/healthz", 200, None),
    ("/image/original/" + MISSING, 404, None),
    ("/image/details/original/" + MISSING, 404, "alias-not-found"),
    ("/image/original/{file}", 200, None),
    ("/image/original?alias={file}", 200, None),
    ("/image/details/original/{file}", 200, None),
    ("/image/process.webp?src={file}&thumbnail=32", 200, None),
    ("/image/process.bmp?src={file}", 400, "invalid-file-extension"),
    ("/image/process.webp?src={file}&thumbnail=x", 500, "invalid-process-path"),
    ("/image/process.webp", 400, "invalid-query"),
    ("/image/backgrounded/claim?upload_id=" + MISSING[:36], 400, "already-claimed"),
    ("/image/delete/00000000-0000-4000-8000-000000000000/{file}", 403, "invalid-delete-token"),
    ("/image/delete/00000000-0000-4000-8000-000000000000/" + MISSING, 204, None),
    ("/internal/hashes", 401, "invalid-api-token"),
    ("/nothing", 404, None),
])
def test_reading(server, stored, target, status, code):
    answer = ask(server, "GET", target.format(file=stored["file"]))
    assert answer.status == status, answer
    assert code is None or answer.code == code


@pytest.mark.parametrize("method, target, status, code", [
    ("GET", "aliases?alias={file}", 200, None),
    ("GET", "aliases?alias=" + MISSING, 404, "alias-not-found"),
    ("GET", "identifier?alias={file}", 200, None),
    ("GET", "identifier?alias=" + MISSING, 404, "alias-not-found"),
    ("POST", "delete?alias=" + MISSING, 404, "alias-not-found"),
    ("POST", "purge?alias=" + MISSING, 404, "alias-not-found"),
    ("GET", "hashes?limit=1", 200, None),
    ("GET", "hashes?slug=!!!", 200, None),
])
def test_the_internal_api(server, stored, method, target, status, code):
    answer = ask(server, method, "/internal/" + target.format(file=stored["file"]), KEY)
    assert answer.status == status, answer
    assert code is None or answer.code == code


def test_pages_of_hashes_go_from_the_newest_to_the_oldest(server):
    newest = [upload(server, pictures.tiny(seed)).json()["files"][0]["file"] for seed in (101, 102, 103)][::-1]
    seen, slug = [], ""
    for _ in range(3):
        page = ask(server, "GET", "/internal/hashes?limit=1" + slug, KEY).json()["page"]
        (entry,) = page["hashes"]
        assert len(entry["hex"]) == 78 and set(entry["details"]) == DETAILS
        seen += entry["aliases"]
        slug = "&slug=" + page["next"]
    assert seen == newest


def test_a_file_is_where_its_identifier_says(server, stored):
    identifier = ask(server, "GET", "/internal/identifier?alias=" + stored["file"], KEY).json()["identifier"]
    bytes_ = ask(server, "GET", "/image/original/" + stored["file"]).body
    assert (server.folder / "files" / identifier).read_bytes() == bytes_
    key = next(e["hex"] for e in ask(server, "GET", "/internal/hashes?limit=100", KEY).json()["page"]["hashes"]
               if stored["file"] in e["aliases"])
    assert key[:64] == hashlib.sha256(bytes_).hexdigest() and int(key[64:76], 16) == len(bytes_)


def test_an_alias_is_deleted_alone(server):
    first, second = (upload(server, pictures.jpeg(7)).json()["files"][0]["file"] for _ in range(2))
    assert ask(server, "POST", "/internal/delete?alias=" + first, KEY).status == 200
    # It is queued there.
    wait_until("the alias is gone", lambda: ask(server, "GET", "/image/original/" + first).status == 404)
    assert ask(server, "GET", "/image/original/" + second).status == 200
    gone = ask(server, "POST", "/internal/purge?alias=" + second, KEY)
    assert gone.status == 200 and gone.json()["aliases"] == [second]


def test_the_name_of_an_imported_file_is_its_alias(server):
    answer = upload(server, pictures.jpeg(8), "/internal/import", KEY.items(), "mine.jpeg")
    assert answer.status == 201 and answer.json()["files"][0]["file"] == "mine.jpeg"
    again = upload(server, pictures.jpeg(9), "/internal/import", KEY.items(), "mine.jpeg")
    assert (again.status, again.code) == (400, "duplicate-alias")


@pytest.mark.parametrize("asked, status, length", [
    ("bytes=0-9", 206, 10), ("bytes=-5", 206, 5), ("bytes=99999999-", 416, 0),
])
def test_ranges(server, stored, asked, status, length):
    answer = ask(server, "GET", "/image/original/" + stored["file"], {"Range": asked})
    assert (answer.status, len(answer.body)) == (status, length)


def test_what_is_no_picture_is_500(server):
    answer = upload(server, b"no picture")
    assert (answer.status, answer.code) == (500, "command-failure")
