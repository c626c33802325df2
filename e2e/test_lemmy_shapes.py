"""The two kinds of request on the media port: Lemmy's own, and those it relays for anybody."""
import pictures
import pytest
import wire


@pytest.fixture(scope="module")
def stored(gate):
    return gate.store(pictures.jpeg(1))


def relayed(gate, method, target, headers=(), body=b""):
    return gate.request(method, target, wire.as_lemmy_relays(headers), body)


def test_lemmys_own_calls(gate, stored):
    alias = stored["file"]
    for target, status in ((f"image/original/{alias}", 200), (f"image/details/original/{alias}", 200),
                           ("healthz", 200), ("image/original/00000000-0000-4000-8000-000000000000.jpeg", 404),
                           ("image/details/original/00000000-0000-4000-8000-000000000000.jpeg", 404)):
        assert gate.get(f"/{target}", wire.as_lemmy_asks()).status == status, target
    head = gate.request("HEAD", f"/image/original/{alias}", wire.as_lemmy_asks())
    whole = gate.get(f"/image/original/{alias}", wire.as_lemmy_asks())
    for name in ("ETag", "Last-Modified", "Content-Length", "Accept-Ranges", "Cache-Control", "Content-Type"):
        assert head.headers[name] == whole.headers[name], name
    assert head.status == 200 and whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["ETag"].startswith('"') and whole.headers["ETag"].endswith('"'), "a strong one"


def test_relayed_requests_have_few_shapes(gate, stored):
    alias, token = stored["file"], stored["delete_token"]
    assert relayed(gate, "GET", f"/image/original/{alias}").status == 200
    assert relayed(gate, "GET", f"/image/original/{alias.replace('-', '%2D').replace('.', '%2e')}").status == 200
    assert relayed(gate, "GET", f"/image/process.webp?src={alias}&thumbnail=96").status == 200
    assert relayed(gate, "GET", f"/image/process.jpg?src={alias}").status == 200
    assert relayed(gate, "GET", "/healthz").status == 200
    closed = [
        ("GET", f"/image/details/original/{alias}"), ("GET", f"/image/details/original?alias={alias}"),
        ("GET", f"/image/delete/{token}/{alias}"), ("DELETE", f"/image/delete/{token}/{alias}"),
        ("POST", f"/image/delete/{token}/{alias}"), ("HEAD", f"/image/original/{alias}"),
        ("GET", f"/image/original?alias={alias}"), ("GET", "/image/original?proxy=http%3A%2F%2F127.0.0.1%2Fa.png"),
        ("GET", f"/image/process.webp?src={alias}&blur=3"), ("GET", f"/image/process.webp?alias={alias}"),
        ("GET", "/image/download?url=http%3A%2F%2F127.0.0.1%2Fa.png"), ("POST", "/image/backgrounded"),
        ("POST", f"/internal/purge?alias={alias}"), ("POST", f"/internal/delete?alias={alias}"),
        ("GET", "/internal/hashes"), ("POST", "/internal/import"), ("GET", "/metrics"), ("GET", "/"), ("PUT", "/image"),
        ("OPTIONS", "/image"), ("GET", "/image"), ("POST", f"/image/original/{alias}"),
    ]
    for method, target in closed:
        answer = relayed(gate, method, target, {"X-Api-Token": "guess", "Content-Length": "0"})
        assert answer.status == 404, (method, target, answer)
    assert relayed(gate, "GET", f"/image/original/{alias}").status == 200, "nothing of that deleted it"


@pytest.mark.parametrize("alias", [
    "..%2f..%2fportcullis.toml", "..", ".", "%2e%2e", "a%00b", "a%2fb", "a%5cb", "a%3fb", "a%23b", "a%25b", "%252e%252e",
    "a%0d%0aX: y", "a%zz", "a%", "%E2%80%AE.jpeg", "a;b", "a+b", "a" * 200, "{alias}/", "{alias}/x", "%20{alias}", "{alias}%20",
    "/{alias}", "./{alias}", "x/../{alias}",
])
@pytest.mark.parametrize("headers", [wire.as_lemmy_relays(), wire.as_lemmy_asks()], ids=["relayed", "direct"])
def test_an_alias_is_a_plain_word(gate, stored, alias, headers):
    answer = gate.get(f"/image/original/{alias.format(alias=stored['file']).replace(' ', '%20')}", headers)
    assert (answer.status, answer.body) == (404, b""), answer


def test_conditions_hold_for_direct_requests_only(gate, stored):
    target = f"/image/original/{stored['file']}"
    whole = gate.get(target)
    etag, modified = whole.headers["ETag"], whole.headers["Last-Modified"]
    cases = [
        ({"If-None-Match": etag}, 304), ({"If-None-Match": f'"x", {etag}'}, 304), ({"If-None-Match": f"W/{etag}"}, 304),
        ({"If-None-Match": "*"}, 304), ({"If-None-Match": '"x"'}, 200), ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200), ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
    ]
    for headers, status in cases:
        direct = gate.get(target, headers)
        assert (direct.status, len(direct.body)) == (status, 0 if status == 304 else len(whole.body)), headers
        if status == 304:
            assert direct.headers["ETag"] == etag
        through_lemmy = relayed(gate, "GET", target, headers)
        assert (through_lemmy.status, through_lemmy.body) == (200, whole.body), ("relayed", headers)
        assert through_lemmy.headers["ETag"] == etag


def test_ranges(gate, stored):
    target = f"/image/original/{stored['file']}"
    whole = gate.get(target).body
    size = len(whole)
    cases = [
        ("bytes=0-0", 206, whole[:1], f"bytes 0-0/{size}"), ("bytes=5-9", 206, whole[5:10], f"bytes 5-9/{size}"),
        ("bytes=100-", 206, whole[100:], f"bytes 100-{size - 1}/{size}"),
        ("bytes=-10", 206, whole[-10:], f"bytes {size - 10}-{size - 1}/{size}"),
        ("bytes=0-1048575", 206, whole, f"bytes 0-{size - 1}/{size}"),
        ("bytes=-99999999", 206, whole, f"bytes 0-{size - 1}/{size}"),
        (f"bytes={size}-", 416, None, None), ("bytes=99999999999999999999-", 416, None, None),
        ("bytes=abc", 200, whole, None), ("bytes=9-5", 200, whole, None),
    ]
    for headers in (wire.as_lemmy_relays, wire.as_lemmy_asks):
        for value, status, body, content_range in cases:
            answer = gate.get(target, headers({"Range": value}))
            assert answer.status == status, (value, answer)
            if body is not None:
                assert answer.body == body and answer.headers.get("Content-Range") == content_range, value
                assert int(answer.headers["Content-Length"]) == len(body), value
        several = gate.get(target, headers({"Range": "bytes=0-1,5-6"}))
        assert (several.status, several.code) == (416, "range-not-satisfiable")
    etag = gate.get(target).headers["ETag"]
    assert gate.get(target, {"Range": "bytes=0-0", "If-Range": etag}).status == 206
    assert gate.get(target, {"Range": "bytes=0-0", "If-Range": '"other"'}).body == whole


def test_a_kept_connection_stays_in_step(gate, stored):
    target = f"/image/original/{stored['file']}"
    content_type, body = wire.multipart([pictures.tiny(2)])
    whole = gate.get(target).body
    with wire.Wire(gate.media) as connection:
        for _ in range(3):
            for headers in ({"If-None-Match": "*"}, {"Range": "bytes=abc"}):
                connection.send(wire.head("GET", target, wire.as_lemmy_relays(headers)))
                assert connection.read().body == whole
            connection.send(wire.head("DELETE", "/image/delete/00000000-0000-4000-8000-000000000000/nothing.jpeg"))
            assert connection.read().status == 204
            connection.send(wire.head("GET", "/nothing"))
            assert connection.read().status == 404
            connection.send(wire.head("POST", "/image", wire.as_lemmy_relays(
                [("Content-Type", content_type), ("Content-Length", len(body))])) + body)
            assert connection.read().status == 201
        connection.send(wire.head("GET", target) * 4)
        assert [connection.read().body for _ in range(4)] == [whole] * 4, "four at once"


def test_an_upload_with_any_length_of_chunks(gate):
    content_type, body = wire.multipart([pictures.tiny(3)])
    for size in (1, 7, 1000, len(body)):
        with wire.Wire(gate.media) as connection:
            connection.send(wire.head("POST", "/image", wire.as_lemmy_relays(
                [("Content-Type", content_type), ("Transfer-Encoding", "chunked")])))
            pieces = [body[i:i + size] for i in range(0, len(body), size)]
            connection.send(b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n")
            assert connection.read().status == 201, size


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(gate):
    content_type, body = wire.multipart([pictures.tiny(4)])
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [("Content-Type", content_type), ("Expect", "100-continue"),
                                                     ("Content-Length", len(body))]))
        while b"\r\n\r\n" not in connection.rest:
            connection._more()
        assert connection.rest.startswith(b"HTTP/1.1 100 ")
        connection.send(body)
        assert connection.read().status == 201


def test_a_secret_prefix_hides_everything(new_gate):
    gate = new_gate()
    prefix = "/f00d0123456789abcdef"
    gate.configure("listen", media_prefix=f"{prefix}/")
    gate.start()
    content_type, body = wire.multipart([pictures.tiny(5)])
    headers = [("Content-Type", content_type)]
    assert gate.get("/healthz").status == 404 and gate.get(f"{prefix}/healthz").status == 200
    assert gate.request("POST", "/image", headers, body).status == 404
    answer = gate.request("POST", f"{prefix}/image", headers, body)
    assert answer.status == 201
    alias = answer.json()["files"][0]["file"]
    assert gate.get(f"/image/original/{alias}").status == 404
    assert gate.get(f"{prefix}/image/original/{alias}").status == 200
