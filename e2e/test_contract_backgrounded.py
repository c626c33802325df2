"""The pict-rs contract: uploads in the background and their claims, row by row."""
import hashlib
import os
import signal
import time
import uuid

import contract
import pictures
import pytest
from contract import is_error, is_nothing, is_refusal, is_taken, rows, upload
from gate import REFUSED
from origin import Origin

PATH = "/image/backgrounded"


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room, decoder={"timeout": "60s"}, http={"upload_timeout": "60s"}) as gate:
        yield gate


def is_begun(answer, count=1):
    """The ids under which the outcomes can be claimed."""
    assert answer.status == 202 and answer.headers["Content-Type"].startswith("application/json"), answer
    body = answer.json()
    assert set(body) == {"msg", "uploads"} and body["msg"] == "ok", answer
    assert [set(entry) for entry in body["uploads"]] == [{"upload_id"}] * count, answer
    ids = [entry["upload_id"] for entry in body["uploads"]]
    assert [str(uuid.UUID(i)) for i in ids] == ids and len(set(ids)) == count
    return ids


def claim(gate, upload_id):
    return gate.get(f"/image/backgrounded/claim?upload_id={upload_id}")


def outcome(gate, upload_id):
    """Claims until it is done."""
    while (answer := claim(gate, upload_id)).status == 204:
        is_nothing(answer, 204)
    return answer


def test_an_upload_is_claimed_once(gate):
    """1.1 202, then claim 200 with one file, then 400 already-claimed"""
    upload_id, = is_begun(upload(gate, pictures.jpeg(1), path=PATH))
    file, = is_taken(outcome(gate, upload_id), 200)
    assert (file["details"]["width"], file["details"]["height"]) == (640, 480)
    assert gate.fetch(file["file"])
    for _ in range(2):
        is_error(claim(gate, upload_id), 400, "already-claimed")
    is_nothing(gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}"), 204)
    is_nothing(gate.get(f"/image/original/{file['file']}"))


def test_each_file_has_an_id_of_its_own(gate):
    """1.1 three parts -> three ids, in order; one that fails does not harm the others"""
    ids = is_begun(upload(gate, [pictures.png(2), b"no picture", pictures.animation(3)], path=PATH), 3)
    first, second, third = (outcome(gate, i) for i in ids)
    assert is_taken(first, 200)[0]["details"]["content_type"] == "image/png"
    is_refusal(second, "command-failure", 422)
    assert is_taken(third, 200)[0]["details"]["content_type"] == "image/gif"


def test_an_unknown_id_is_answered_at_once(gate):
    """14 claim of an unknown id -> 400 already-claimed, without waiting"""
    begin = time.monotonic()
    is_error(claim(gate, "00000000-0000-4000-8000-000000000000"), 400, "already-claimed")
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("target,code", rows(
    ("3 claim without upload_id -> invalid-query", "claim", "invalid-query"),
    ("3 claim?upload_id= -> invalid-query", "claim?upload_id=", "invalid-query"),
    ("3 claim?id= -> invalid-query", "claim?id=00000000-0000-4000-8000-000000000000", "invalid-query"),
    ("3 claim of what is no UUID -> 400", "claim?upload_id=x", ("invalid-query", "already-claimed")),
))
def test_a_claim_needs_an_id(gate, target, code):
    is_error(gate.get(f"/image/backgrounded/{target}"), 400, code)


@pytest.mark.parametrize("data,parameters,code", rows(
    ("1.1 text -> claim 422 command-failure", b"no picture", "", "command-failure"),
    ("1.1 half a JPEG -> claim 422", pictures.jpeg(4)[:20_000], "", contract.CANNOT_DECODE),
    ("1.1 too wide -> claim 422 validate-width", pictures.needle_png(10_001, 1), "", "validate-width"),
    ("1.1 max_width=639 -> claim 422 validate-width", pictures.jpeg(5), "max_width=639", "validate-width"),
    ("1.1 allow_animation=false -> claim 422 media-disallowed", pictures.animation(6), "allow_animation=false", "media-disallowed"),
))
def test_a_refusal_is_claimed_as_422(gate, data, parameters, code):
    before = set(gate.blobs())
    upload_id, = is_begun(upload(gate, data, parameters, path=PATH))
    is_refusal(outcome(gate, upload_id), code, 422)
    is_error(claim(gate, upload_id), 400, "already-claimed")
    assert not set(gate.blobs()) - before


def test_what_policy_refuses_is_claimed_as_422(gate):
    """3 claim 422 failed-external-validation"""
    data = pictures.tiny(7)
    gate.add_list("own/refused", "sha256", [hashlib.sha256(data).hexdigest()])
    upload_id, = is_begun(upload(gate, data, path=PATH))
    is_refusal(outcome(gate, upload_id), REFUSED, 422)
    gate.remove_list("own/refused")


@pytest.mark.parametrize("operations,size", rows(
    ("1.1 backgrounded?resize=256", "resize=256", (256, 192)), ("1.1 backgrounded?crop=1x1&resize=64", "crop=1x1&resize=64", (64, 64))))
def test_operations_hold_in_the_background(gate, operations, size):
    upload_id, = is_begun(upload(gate, pictures.jpeg(8), operations, path=PATH))
    details = is_taken(outcome(gate, upload_id), 200)[0]["details"]
    assert (details["width"], details["height"]) == size


@pytest.mark.parametrize("parameters,code", rows(
    ("3 backgrounded?foo=bar -> 400 at once", "foo=bar", "invalid-process-path"),
    ("3 backgrounded?blur=NaN -> 400 at once", "blur=NaN", "invalid-process-path"),
    ("3 backgrounded?max_width=abc -> 400 at once", "max_width=abc", "invalid-query")))
def test_a_bad_query_is_refused_at_once(gate, parameters, code):
    is_refusal(upload(gate, pictures.jpeg(9), parameters, path=PATH), code)


@pytest.mark.parametrize("files,code", rows(
    ("3 no part -> 400 at once", [], "validate-no-files"), ("3 four parts -> 400 at once", [pictures.tiny(10)] * 4, "file-upload-error")))
def test_a_bad_form_is_refused_at_once(gate, files, code):
    is_refusal(upload(gate, files, path=PATH), code)


def test_a_claim_waits_ten_seconds(gate):
    """1.1 not done yet -> 204 empty after 10 s; the id stays good"""
    stopped = gate.children()
    for child in stopped:
        os.kill(child, signal.SIGSTOP)
    try:
        upload_id, = is_begun(upload(gate, pictures.tiny(11), path=PATH))
        begin = time.monotonic()
        is_nothing(claim(gate, upload_id), 204)
        assert 8 < time.monotonic() - begin < 20
    finally:
        for child in stopped:
            os.kill(child, signal.SIGCONT)
    is_taken(outcome(gate, upload_id), 200)


def test_a_download_may_happen_in_the_background(gate):
    """1.1 download?backgrounded=true -> 202, then as an upload; false -> 201"""
    with Origin({"/a.jpg": ("image/jpeg", pictures.jpeg(12)), "/page": ("text/html", b"<p>no picture</p>")}) as origin:
        target = f"/image/download?url={contract.quoted(origin.url('/a.jpg'))}"
        upload_id, = is_begun(gate.get(f"{target}&backgrounded=true&resize=64"))
        file, = is_taken(outcome(gate, upload_id), 200)
        assert file["details"]["width"] == 64 and gate.fetch(file["file"])
        is_error(claim(gate, upload_id), 400, "already-claimed")
        is_taken(gate.get(f"{target}&backgrounded=false"))
        for path, code in (("/page", "command-failure"), ("/missing.jpg", "download-file-error")):
            upload_id, = is_begun(gate.get(f"/image/download?url={contract.quoted(origin.url(path))}&backgrounded=true"))
            is_error(outcome(gate, upload_id), 422, code)


@pytest.mark.parametrize("value", ["maybe", "1", "TRUE", ""], ids=lambda v: f"3 download?backgrounded={v} -> 400 invalid-query")
def test_a_download_is_in_the_background_or_not(gate, value):
    with Origin({"/a.jpg": ("image/jpeg", pictures.jpeg(13))}) as origin:
        is_error(gate.get(f"/image/download?url={contract.quoted(origin.url('/a.jpg'))}&backgrounded={value}"), 400, "invalid-query")
        assert origin.asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"], ids=lambda m: f"14 {m} image/backgrounded -> 404 empty")
def test_the_background_is_reached_by_post(gate, method):
    is_nothing(gate.request(method, PATH))


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"], ids=lambda m: f"14 {m} image/backgrounded/claim -> 404 empty")
def test_a_claim_is_a_get(gate, method):
    is_nothing(gate.request(method, f"{PATH}/claim?upload_id=00000000-0000-4000-8000-000000000000"))
