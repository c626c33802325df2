"""What is no picture, too much of one, or no proper request: a clear answer, nothing stored, the gate goes on."""
import pictures
import pytest
import wire
from gate import wait_until

RIFF = b"RIFF\x24\0\0\0WEBPVP8 "
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="5" height="5"/></svg>'

FILES = [
    # name, bytes, the codes that fit (the first is the usual one)
    ("text", b"This is not a picture.\n" * 40, ("media-disallowed", "command-failure")),
    ("one byte", b"\xff", ("media-disallowed", "command-failure")),
    ("zeros", bytes(100_000), ("media-disallowed", "command-failure")),
    ("html", b"<html><body><script>alert(1)</script></body></html>", ("media-disallowed", "command-failure")),
    ("svg", SVG, ("media-disallowed", "command-failure")),
    ("pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF", ("media-disallowed", "command-failure")),
    ("zip", b"PK\3\4" + bytes(200), ("media-disallowed", "command-failure")),
    ("bmp", pictures.encode(pictures.photo(1, 64, 64), "BMP"), ("media-disallowed", "command-failure")),
    ("tiff", pictures.encode(pictures.photo(1, 64, 64), "TIFF"), ("media-disallowed", "command-failure")),
    ("ppm", pictures.encode(pictures.photo(1, 64, 64), "PPM"), ("media-disallowed", "command-failure")),
    ("ico", pictures.encode(pictures.photo(1, 64, 64), "ICO"), ("media-disallowed", "command-failure")),
    ("jpeg head only", pictures.jpeg(1)[:200], ("command-failure",)),
    ("half a jpeg", pictures.jpeg(1)[:20_000], ("command-failure",)),
    ("half a png", pictures.png(1)[:20_000], ("command-failure",)),
    ("half a webp", pictures.webp(1)[:2_000], ("command-failure",)),
    ("half a gif", pictures.animation(1)[:9_000], ("command-failure",)),
    ("png signature", b"\x89PNG\r\n\x1a\n", ("command-failure", "media-disallowed")),
    ("gif signature", b"GIF89a", ("command-failure", "media-disallowed")),
    ("webp signature", RIFF, ("command-failure", "media-disallowed")),
    ("jpeg signature then text", b"\xff\xd8\xff\xe0" + b"not really " * 100, ("command-failure", "media-disallowed")),
    ("png of 50,000 x 50,000", pictures.bomb_png(), ("validate-width", "validate-height", "validate-area")),
    ("gif of 100,000 frames", pictures.bomb_gif(), ("validate-frames",)),
    ("gif that announces 65,535 x 65,535", pictures.huge_screen_gif(), ("validate-width", "validate-height", "validate-area")),
    ("1 x 60,000", pictures.needle_png(1, 60_000), ("validate-height",)),
    ("60,000 x 1", pictures.needle_png(60_000, 1), ("validate-width",)),
    ("too many pixels", pictures.bomb_png(9_000), ("validate-area",)),
    ("901 frames", pictures.bomb_gif(901), ("validate-frames",)),
    ("nothing", b"", ("validate-file-empty",)),
]


def is_refusal(answer, status, codes):
    body = answer.json()
    assert (answer.status, body["code"] in codes) == (status, True), answer
    assert set(body) == {"error", "message", "msg", "files", "code"} and body["files"] is None
    assert body["msg"] and ":" not in body["error"]
    return True


@pytest.mark.parametrize("name,data,codes", FILES, ids=[f[0] for f in FILES])
def test_what_is_no_good_picture_is_refused(gate, name, data, codes):
    before = gate.blobs()
    answer = gate.upload(data)
    assert is_refusal(answer, 400, codes)
    assert gate.blobs() == before
    assert gate.get("/healthz").status == 200


def test_invariant_9_bombs_do_not_grow_the_gate(new_gate):
    gate = new_gate().start()
    gate.store(pictures.jpeg(1))
    before = gate.peak_memory()
    for data in (pictures.bomb_png(), pictures.bomb_gif(), pictures.needle_png(), pictures.huge_screen_gif()):
        assert gate.upload(data).status == 400
    for _ in range(3):
        assert gate.upload(bytes(40 * 1024 * 1024)).status == 400
    assert gate.peak_memory() - before < 32 * 1024 * 1024, "the gate streams what it receives"
    gate.store(pictures.jpeg(2))


def test_a_file_over_the_limit(new_gate):
    gate = new_gate()
    gate.configure("media", max_file_size="100 KiB")
    gate.start()
    assert is_refusal(gate.upload(pictures.with_tail(pictures.tiny(1)) + bytes(100 * 1024)), 413, ["validate-file-size"])
    assert gate.upload(pictures.tiny(1)).status == 201


@pytest.mark.parametrize("kind,data", [("gif", pictures.animation(2)), ("png", pictures.png(2)), ("webp", pictures.webp(2))])
def test_a_format_that_is_switched_off(new_gate, kind, data):
    gate = new_gate()
    gate.configure("media", formats=[f for f in ("jpeg", "png", "webp", "gif") if f != kind])
    gate.start()
    assert is_refusal(gate.upload(data), 400, ["media-disallowed"])
    assert gate.upload(pictures.tiny(2)).status == 201


JPEG = pictures.tiny(3)
TYPE, GOOD = wire.multipart([JPEG])
BOUNDARY = TYPE.split("=")[1].encode()
BAD = ["file-upload-error"]


def part(head, data=JPEG, boundary=BOUNDARY):
    return b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"
NAMED = b'Content-Disposition: form-data; name="images[]"; filename="a.jpg"'
BODIES = [
    ("no part", TYPE, END, 400, ["validate-no-files", "file-upload-error"]),
    ("another field only", TYPE, part(b'Content-Disposition: form-data; name="file"; filename="a.jpg"') + END, 400, ["validate-no-files"]),
    ("a field that differs by case", TYPE, part(b'Content-Disposition: form-data; name="Images[]"; filename="a.jpg"') + END, 400, ["validate-no-files"]),
    ("two files when one is allowed", TYPE, part(NAMED) * 2 + END, 400, BAD),
    ("an empty file", TYPE, part(NAMED, b"") + END, 400, ["validate-file-empty"]),
    ("no end", TYPE, part(NAMED), 400, BAD),
    ("half a boundary at the end", TYPE, part(NAMED) + END[:-6], 400, BAD),
    ("an empty body", TYPE, b"", 400, BAD + ["validate-no-files"]),
    ("another boundary", "multipart/form-data; boundary=other", GOOD, 400, BAD),
    ("no boundary", "multipart/form-data", GOOD, 400, BAD),
    ("a boundary of 200 characters", "multipart/form-data; boundary=" + "x" * 200, GOOD, 400, BAD),
    ("not multipart", "image/jpeg", JPEG, 400, BAD),
    ("a form", "application/x-www-form-urlencoded", b"images[]=x", 400, BAD),
    ("no name", TYPE, part(b'Content-Disposition: form-data; filename="a.jpg"') + END, 400, BAD),
    ("no disposition", TYPE, part(b"Content-Type: image/jpeg") + END, 400, BAD),
    ("a NUL in the name", TYPE, part(b'Content-Disposition: form-data; name="images[]\0"') + END, 400, BAD + ["validate-no-files"]),
    ("a part header of 100 KB", TYPE, part(NAMED + b"\r\nX-Long: " + b"x" * 100_000) + END, 400, BAD),
    ("a thousand parts", TYPE, part(b'Content-Disposition: form-data; name="x"', b"y") * 1000 + END, 400, BAD),
]


@pytest.mark.parametrize("name,content_type,body,status,codes", BODIES, ids=[b[0] for b in BODIES])
def test_a_body_that_is_no_proper_upload(gate, name, content_type, body, status, codes):
    before = gate.blobs()
    headers = wire.as_lemmy_relays([("Content-Type", content_type), ("Content-Length", len(body))])
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", headers) + body)
        assert is_refusal(connection.read(), status, codes)
    assert gate.blobs() == before and gate.metrics()["portcullis_spool_bytes"] == 0


def test_other_fields_beside_the_file_do_not_matter(gate):
    body = part(b'Content-Disposition: form-data; name="note"', b"hello") + part(NAMED) + END
    assert gate.request("POST", "/image", [("Content-Type", TYPE)], body).status == 201


def test_several_files_where_they_are_allowed_stand_or_fall_together(new_gate):
    gate = new_gate()
    gate.configure("media", max_file_count=3)
    gate.start()
    answer = gate.post([pictures.tiny(4), pictures.tiny(5), pictures.tiny(6)])
    assert answer.status == 201 and len(answer.json()["files"]) == 3
    for seed, file in zip((4, 5, 6), answer.json()["files"]):
        assert (pictures.pixels(gate.fetch(file["file"])) == pictures.pixels(pictures.tiny(seed))).all()
    aliases = gate.metrics()["portcullis_aliases"]
    assert is_refusal(gate.post([pictures.tiny(7), b"no picture"]), 400, ["media-disallowed", "command-failure"])
    assert is_refusal(gate.post([pictures.tiny(i) for i in range(4)]), 400, BAD)
    assert gate.metrics()["portcullis_aliases"] == aliases
    wait_until("the first part's blob goes again", lambda: len(gate.blobs()) == 3, 30)


AMBIGUOUS = [
    ("length and chunked", [("Content-Length", "6"), ("Transfer-Encoding", "chunked")]),
    ("two lengths", [("Content-Length", "6"), ("Content-Length", "6")]),
    ("lengths in a list", [("Content-Length", "6, 6")]),
    ("differing lengths", [("Content-Length", "6"), ("Content-Length", "7")]),
    ("signed length", [("Content-Length", "+6")]),
    ("xchunked", [("Transfer-Encoding", "xchunked")]),
    ("chunked, identity", [("Transfer-Encoding", "chunked, identity")]),
    ("chunked twice", [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")]),
    ("two hosts", [("Host", "a"), ("Host", "b"), ("Content-Length", "6")]),
    ("folded line", [("X-A", "b\r\n c"), ("Content-Length", "6")]),
    ("blank before the colon", [("Content-Length ", "6")]),
]


@pytest.mark.parametrize("name,headers", AMBIGUOUS, ids=[a[0] for a in AMBIGUOUS])
def test_what_two_servers_would_read_differently_is_refused_and_the_connection_ends(gate, name, headers):
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", headers) + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = connection.read()
        assert answer.status == 400, answer
        assert connection.ended(), "what follows must not be read as a request"


@pytest.mark.parametrize("raw", [
    b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/1.1\nHost: a\n\n", b"GET /hea\0lthz HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    b"POST /image HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
], ids=range(9))
def test_what_is_not_http_is_refused(gate, raw):
    with wire.Wire(gate.media) as connection:
        connection.send(raw)
        try:
            assert 400 <= connection.read().status < 600
        except wire.Gone:
            pass
        assert connection.ended()


def test_heads_have_a_bound(gate):
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("GET", "/healthz", {"X-Long": "x" * 100_000}))
        assert connection.read().status == 431
    assert gate.get("/" + "x" * 20_000).status == 414


def test_a_length_that_promises_more_than_comes(gate):
    before = gate.blobs()
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [("Content-Type", TYPE), ("Content-Length", len(GOOD) + 100)]) + GOOD)
        connection.socket.shutdown(1)
        try:
            assert connection.read().status == 400
        except wire.Gone:
            pass
    assert gate.blobs() == before


def test_a_length_that_promises_less_than_comes(gate):
    before = gate.blobs()
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [("Content-Type", TYPE), ("Content-Length", len(GOOD) - 100)]) + GOOD)
        assert is_refusal(connection.read(), 400, BAD)
    assert gate.blobs() == before


def test_chunks_that_are_none(gate):
    for body in (b"zz\r\nabcdefghijklmnopq\r\n0\r\n\r\n", b"-1\r\nx\r\n", b"fffffffffffffffff\r\n", b"5\r\nabc\r\n0\r\n\r\n"):
        with wire.Wire(gate.media) as connection:
            connection.send(wire.head("POST", "/image", [("Content-Type", TYPE), ("Transfer-Encoding", "chunked")]) + body)
            assert connection.read().status == 400, body
            assert connection.ended(), body


def test_clients_that_vanish_leave_nothing(gate):
    content_type, body = wire.multipart([pictures.large(8)])
    before = gate.blobs()
    for part_of in (0.0, 0.2, 0.9, 0.9999):
        for reset in (False, True):
            connection = wire.Wire(gate.media)
            connection.send(wire.head("POST", "/image", [("Content-Type", content_type), ("Content-Length", len(body))]))
            connection.send(body[:int(len(body) * part_of)])
            connection.vanish() if reset else connection.socket.close()
    wait_until("the spool is empty", lambda: gate.metrics()["portcullis_spool_bytes"] == 0)
    wait_until("their connections are gone", lambda: gate.metrics()["portcullis_connections"] == 0)
    assert gate.blobs() == before and gate.upload(pictures.tiny(9)).status == 201


def test_a_client_that_drips_is_told_so(new_gate):
    gate = new_gate()
    gate.configure("http", body_timeout="2s")
    gate.start()
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [("Content-Type", TYPE), ("Content-Length", len(GOOD))]))
        took = connection.drip(GOOD, pause=0.25, most=20)
        answer = connection.read()
    assert answer.status in (400, 408) and answer.code == "stream-too-slow" and 1.5 < took < 12
    assert gate.upload(JPEG).status == 201 and gate.blobs() and gate.metrics()["portcullis_spool_bytes"] == 0


def test_a_head_that_drips_is_cut(new_gate):
    gate = new_gate()
    gate.configure("http", header_timeout="2s")
    gate.start()
    with wire.Wire(gate.media) as connection:
        assert connection.drip(b"GET /healthz HTTP/1.1\r\n" + b"x" * 500, pause=0.25, most=20) < 12


def test_uploads_beyond_the_spool_budget_are_asked_to_come_again(new_gate):
    gate = new_gate()
    gate.configure("media", spool_bytes="1536 KiB", max_file_size="1 MiB")
    gate.start()
    content_type, body = wire.multipart([bytes(900 * 1024)])
    headers = [("Content-Type", content_type), ("Content-Length", len(body))]
    with wire.Wire(gate.media) as slow:
        slow.send(wire.head("POST", "/image", headers) + body[:-1000])
        wait_until("it is spooled", lambda: gate.metrics()["portcullis_spool_bytes"] > 600 * 1024)
        answer = gate.post([bytes(900 * 1024)])
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
        slow.send(body[-1000:])
        assert slow.read().status == 400
    assert gate.upload(JPEG).status == 201
