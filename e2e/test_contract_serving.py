"""The pict-rs contract: reading what is stored, deleting it, deadlines, and what relayed requests may do, row by row."""
import datetime
import time

import contract
import pictures
import pytest
import wire
from contract import API_KEY, UNKNOWN, is_error, is_nothing, is_refusal, is_taken, rows, stored, upload

DIRECT = pytest.mark.parametrize("headers", [(), wire.as_lemmy_asks()], ids=["direct", "as Lemmy asks"])
ANYBODY = pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room) as gate:
        yield gate


@pytest.fixture(scope="module")
def file(gate):
    return stored(gate, pictures.jpeg(1))


@pytest.fixture(scope="module")
def alias(gate, file):
    assert gate.get(f"/image/process.webp?src={file['file']}&thumbnail=96").status == 200
    return file["file"]


# --- originals ---

@ANYBODY
def test_an_original_is_served_whole(gate, alias, headers):
    """1.2 GET original/ALIAS -> 200 with length, ETag, age and type"""
    answer = gate.get(f"/image/original/{alias}", headers)
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg"
    assert int(answer.headers["Content-Length"]) == len(answer.body) and "Transfer-Encoding" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, max-age=86400" and "immutable" not in answer.headers["Cache-Control"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"].startswith('"') and answer.headers["ETag"].endswith('"')
    modified = datetime.datetime.strptime(answer.headers["Last-Modified"], "%a, %d %b %Y %H:%M:%S GMT")
    created = gate.get(f"/image/details/original/{alias}").json()["created_at"]
    assert created.startswith(modified.isoformat()), "the moment of the upload"


@pytest.mark.parametrize("target", ["original/{alias}", "original?alias={alias}", "process.webp?src={alias}&thumbnail=96"],
                         ids=lambda t: f"1.2 HEAD {t}")
def test_head_has_the_headers_of_get(gate, alias, target):
    target = f"/image/{target.format(alias=alias)}"
    whole, head = gate.get(target), gate.request("HEAD", target)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Cache-Control", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name], name


def test_an_original_by_query_is_the_same(gate, alias):
    """1.2 GET original?alias= and details/original?alias="""
    assert gate.get(f"/image/original?alias={alias}").body == gate.get(f"/image/original/{alias}").body
    assert gate.get(f"/image/details/original?alias={alias}").json() == gate.get(f"/image/details/original/{alias}").json()


RANGES = [
    # value, status, from and to (of the whole picture: None)
    ("bytes=0-0", 206, (0, 1)), ("bytes=5-9", 206, (5, 10)), ("bytes=100-", 206, (100, None)), ("bytes=0-", 206, (0, None)),
    ("bytes=-10", 206, (-10, None)), ("bytes=0-1048575", 206, (0, None)), ("bytes=-99999999", 206, (0, None)),
    ("bytes=SIZE-", 416, None), ("bytes=99999999-", 416, None), ("bytes=99999999999999999999-", 416, None), ("bytes=-0", 416, None),
    ("bytes=abc", 200, None), ("bytes=9-5", 200, None), ("", 200, None), ("bytes=0-1,5-6", 416, "several"), ("bytes=0-1, -1", 416, "several"), ("items=0-5", 416, "several"),
]


@pytest.mark.parametrize("value,status,part", [pytest.param(*r, id=f"1.2 Range: {r[0]} -> {r[1]}") for r in RANGES])
@pytest.mark.parametrize("target,headers", [
    ("original/{alias}", ()), ("original/{alias}", wire.as_lemmy_relays()), ("original?alias={alias}", ()),
    ("process.webp?src={alias}&thumbnail=96", ()), ("process.webp?src={alias}&thumbnail=96", wire.as_lemmy_relays()),
], ids=["original", "relayed original", "original by query", "variant", "relayed variant"])
def test_a_range(gate, alias, target, value, status, part, headers):
    target = f"/image/{target.format(alias=alias)}"
    whole = gate.get(target)
    size = len(whole.body)
    answer = gate.get(target, [*headers, ("Range", value.replace("SIZE", str(size)))])
    assert answer.status == status, answer
    if part == "several":
        is_error(answer, 416, "range-not-satisfiable")
        return
    if status == 416:
        assert (answer.body, answer.headers["Content-Range"]) == (b"", f"bytes */{size}")
        assert answer.headers["Content-Type"] == whole.headers["Content-Type"], "the media headers are there all the same"
        return
    wanted = whole.body[slice(*part)] if part else whole.body
    assert answer.body == wanted and int(answer.headers["Content-Length"]) == len(wanted)
    first = size - len(wanted) if part and part[1] is None else part[0] if part else 0
    assert answer.headers.get("Content-Range") == (f"bytes {first}-{first + len(wanted) - 1}/{size}" if status == 206 else None)
    assert answer.headers["ETag"] == whole.headers["ETag"] and answer.headers["Cache-Control"] == whole.headers["Cache-Control"]


def test_a_range_of_head(gate, alias):
    """1.2 HEAD with Range never has a body"""
    for value in ("bytes=0-9", "bytes=99999999-"):
        with wire.Wire(gate.media) as connection:
            for _ in range(2):  # nothing is left over on the connection
                connection.send(wire.head("HEAD", f"/image/original/{alias}", {"Range": value}))
                assert connection.read(head_only=True).status in (200, 206, 416)


@pytest.mark.parametrize("name,value,status", rows(
    ("1.2 If-None-Match: the ETag -> 304", "If-None-Match", "ETAG", 304),
    ("1.2 If-None-Match: weak -> 304", "If-None-Match", "W/ETAG", 304),
    ("1.2 If-None-Match: * -> 304", "If-None-Match", "*", 304),
    ("1.2 If-None-Match: one of several -> 304", "If-None-Match", '"x", ETAG', 304),
    ("1.2 If-None-Match: another -> 200", "If-None-Match", '"x"', 200),
    ("1.2 If-Modified-Since: that time -> 304", "If-Modified-Since", "MODIFIED", 304),
    ("1.2 If-Modified-Since: before -> 200", "If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
    ("1.2 If-Modified-Since: nonsense -> 200", "If-Modified-Since", "yesterday", 200),
))
@pytest.mark.parametrize("target", ["original/{alias}", "original?alias={alias}"])
def test_a_condition_counts_for_direct_requests(gate, alias, target, name, value, status):
    target = f"/image/{target.format(alias=alias)}"
    whole = gate.get(target)
    value = value.replace("ETAG", whole.headers["ETag"]).replace("MODIFIED", whole.headers["Last-Modified"])
    for method in ("GET", "HEAD"):
        answer = gate.request(method, target, {name: value})
        assert answer.status == status and (answer.body == b"") == (status == 304 or method == "HEAD")
    relayed = gate.get(f"/image/original/{alias}", wire.as_lemmy_relays({name: value}))
    assert (relayed.status, relayed.body) == (200, whole.body), "4 a relayed GET is never 304"


@ANYBODY
def test_an_unknown_original_is_an_empty_404(gate, headers):
    """1.2 unknown alias -> 404 empty"""
    is_nothing(gate.get(f"/image/original/{UNKNOWN}", headers))
    if not headers:
        is_nothing(gate.get(f"/image/original?alias={UNKNOWN}"))
        is_nothing(gate.request("HEAD", f"/image/original/{UNKNOWN}"))


@pytest.mark.parametrize("alias", ["abcdefghij.png", "a", "A_b-c.d", "x" * 128], ids=lambda a: f"4 the old alias {a[:20]} -> 404, not 400")
@ANYBODY
def test_any_plain_word_may_be_an_alias(gate, alias, headers):
    is_nothing(gate.get(f"/image/original/{alias}", headers))


@pytest.mark.parametrize("spelling", ["..", "%2e%2e", "%2e", "..%2f..%2fportcullis.toml", "%2e%2e/%2e%2e/portcullis.toml", "a%00b", "a%5cb",
                                      "a%3fb", "a%23b", "a%25b", "%252e%252e", "a%0d%0aX:%20y", "a%zz", "%c0%ae%c0%ae", "{alias}%00", "{alias}/",
                                      "/{alias}", "x/../{alias}", "{alias}%2f..%2f{alias}", "x" * 129, "%E2%80%AE{alias}", ""])
@pytest.mark.parametrize("place", ["original/", "details/original/", "delete/00000000-0000-4000-8000-000000000000/"])
@ANYBODY
def test_no_spelling_leads_elsewhere(gate, alias, place, spelling, headers):
    """4 what is no alias after one decoding is 404"""
    answer = gate.get(f"/image/{place}{spelling.format(alias=alias)}", headers)
    assert answer.status == 404 and b"portcullis" not in answer.body, answer


def test_an_alias_is_decoded_once(gate, alias):
    """4 percent-encoded letters are the same alias"""
    spelled = alias.replace("-", "%2D").replace(".", "%2e")
    whole = gate.get(f"/image/original/{alias}").body
    for headers in ((), wire.as_lemmy_relays()):
        assert gate.get(f"/image/original/{spelled}", headers).body == whole
        assert gate.get(f"/image/process.webp?src={spelled}&thumbnail=96", headers).status == 200
    assert gate.get(f"/image/original?alias={spelled}").body == whole
    assert gate.get(f"/image/details/original/{spelled}").status == 200


# --- details and blurhash ---

@DIRECT
def test_details_and_blurhash_are_what_the_upload_said(gate, file, headers):
    """1.4 details/original and blurhash"""
    assert gate.get(f"/image/details/original/{file['file']}", headers).json() == contract.are_details(file["details"])
    answer = gate.get(f"/image/blurhash?alias={file['file']}", headers)
    assert answer.status == 200 and answer.json() == {"msg": "ok", "blurhash": file["details"]["blurhash"]}
    created = datetime.datetime.fromisoformat(file["details"]["created_at"])
    assert created.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize("target", ["details/original/{unknown}", "details/original?alias={unknown}", "blurhash?alias={unknown}"],
                         ids=lambda t: f"1.4 {t} -> 404 alias-not-found")
def test_what_is_unknown_has_no_details(gate, target):
    is_error(gate.get(f"/image/{target.format(unknown=UNKNOWN)}"), 404, "alias-not-found")


@pytest.mark.parametrize("target", ["original", "original?", "original?foo=bar", "details/original", "details/original?foo=bar", "blurhash",
                                    "blurhash?foo=bar"], ids=lambda t: f"3 {t} names no picture -> 400 invalid-query")
def test_without_a_picture_there_is_nothing_to_read(gate, target):
    is_error(gate.get(f"/image/{target}"), 400, "invalid-query")


# --- deleting ---

@pytest.mark.parametrize("method", ["DELETE", "GET"], ids=lambda m: f"1.4 {m} delete/TOKEN/ALIAS -> 204 empty")
def test_an_alias_is_deleted_with_its_token(gate, method):
    file, other = stored(gate, pictures.tiny(2)), stored(gate, pictures.tiny(2))
    alias, token = file["file"], file["delete_token"]
    for wrong in (other["delete_token"], "00000000-0000-4000-8000-000000000000", token[:-1], token + "0", token.upper() + "x", "x", "abcdefghij"):
        is_error(gate.request(method, f"/image/delete/{wrong}/{alias}"), 403, "invalid-delete-token")
    assert gate.get(f"/image/original/{alias}").status == 200
    is_nothing(gate.request(method, f"/image/delete/{token}/{alias}"), 204)
    is_nothing(gate.get(f"/image/original/{alias}"))
    is_error(gate.get(f"/image/details/original/{alias}"), 404, "alias-not-found")
    is_nothing(gate.request(method, f"/image/delete/{token}/{alias}"), 204)
    is_nothing(gate.request(method, f"/image/delete/{other['delete_token']}/{alias}"), 204)
    assert gate.fetch(other["file"]), "the other name of the same picture stays"


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_an_unknown_alias_is_deleted_already(gate, method):
    """1.4 unknown alias -> 204, with any token"""
    for token in ("00000000-0000-4000-8000-000000000000", "x"):
        is_nothing(gate.request(method, f"/image/delete/{token}/{UNKNOWN}"), 204)


@pytest.mark.parametrize("target", ["delete", "delete/", "delete/{token}", "delete/{token}/", "delete//{alias}", "delete/{token}/{alias}/x",
                                    "delete?token={token}&alias={alias}", "delete/{alias}/{token}x"],
                         ids=lambda t: f"1.4 DELETE {t} deletes nothing")
def test_deleting_has_one_shape(gate, file, target):
    target = f"/image/{target.format(token=file['delete_token'], alias=file['file'])}"
    assert gate.request("DELETE", target).status in (404, 204, 403)
    assert gate.fetch(file["file"])


# --- wrong methods ---

PATHS = ["/", "/image", "/image/", "/image/original/{alias}", "/image/original?alias={alias}", "/image/details/original/{alias}",
         "/image/details/original?alias={alias}", "/image/blurhash?alias={alias}", "/image/backgrounded", "/image/backgrounded/claim?upload_id=x",
         "/image/download?url=http%3A%2F%2F127.0.0.1%2F", "/image/delete/{token}/{alias}", "/healthz", "/nothing", "/internal/", "/pictrs/image"]
TAKEN = {("GET", "/image/original/{alias}"), ("HEAD", "/image/original/{alias}"), ("GET", "/image/original?alias={alias}"),
         ("HEAD", "/image/original?alias={alias}"), ("GET", "/image/details/original/{alias}"), ("GET", "/image/details/original?alias={alias}"),
         ("GET", "/image/blurhash?alias={alias}"), ("POST", "/image/backgrounded"), ("GET", "/image/backgrounded/claim?upload_id=x"),
         ("GET", "/image/download?url=http%3A%2F%2F127.0.0.1%2F"), ("GET", "/image/delete/{token}/{alias}"),
         ("DELETE", "/image/delete/{token}/{alias}"), ("GET", "/healthz"), ("POST", "/image")}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]


@pytest.mark.parametrize("method,path", [pytest.param(m, p, id=f"3 {m} {p} -> 404 empty") for p in PATHS for m in METHODS if (m, p) not in TAKEN])
def test_a_wrong_method_or_path_is_nothing(gate, file, method, path):
    is_nothing(gate.request(method, path.format(alias=file["file"], token=file["delete_token"]), {"Content-Length": "0"}))
    assert gate.fetch(file["file"])


# --- health and deadlines ---

@ANYBODY
def test_health_is_an_empty_200(gate, headers):
    """1.4 GET healthz"""
    is_nothing(gate.get("/healthz", headers), 200)
    for deadline in ("1", "soon"):
        is_nothing(gate.get("/healthz", [*headers, ("X-Request-Deadline", deadline)]), 200)


READS = ["/image/original/{alias}", "/image/original?alias={alias}", "/image/process.webp?src={alias}&thumbnail=96",
         "/image/details/original/{alias}", "/image/blurhash?alias={alias}"]


@pytest.mark.parametrize("target", READS, ids=lambda t: f"14 X-Request-Deadline on GET {t}")
def test_a_deadline_that_has_passed_is_408(gate, alias, target):
    target = target.format(alias=alias)
    for past in ("1", "0", "-5", str(time.time_ns() - 1_000_000_000)):
        is_error(gate.get(target, {"X-Request-Deadline": past}), 408, "request-timeout")
    for malformed in ("soon", "1.5", "1e20", "0x10", "", "--1", "-", "12 34", "1" * 40):
        is_error(gate.get(target, {"X-Request-Deadline": malformed}), 400, "parse-deadline")
    for future in (str(time.time_ns() + 60_000_000_000), "1" * 38):
        assert gate.get(target, {"X-Request-Deadline": future}).status == 200


@pytest.mark.parametrize("target", ["download?url=http%3A%2F%2F127.0.0.1%3A9%2Fa.jpg", "original?proxy=http%3A%2F%2F127.0.0.1%3A9%2Fa.jpg",
                                    "backgrounded/claim?upload_id=00000000-0000-4000-8000-000000000000", "original/{unknown}",
                                    "process_backgrounded.webp?src={unknown}"], ids=lambda t: f"14 X-Request-Deadline on GET {t}")
def test_a_deadline_comes_before_everything_else(gate, target):
    is_error(gate.get(f"/image/{target.format(unknown=UNKNOWN)}", {"X-Request-Deadline": "1"}), 408, "request-timeout")


def test_a_deadline_holds_for_uploads_and_deletions(gate, file):
    """14 408 request-timeout on upload, delete and the internal API; nothing is done"""
    is_error(upload(gate, pictures.tiny(3), headers=[("X-Request-Deadline", "1")]), 408, "request-timeout")
    is_error(upload(gate, pictures.tiny(3), headers=[("X-Request-Deadline", "soon")]), 400, "parse-deadline")
    is_error(gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}", {"X-Request-Deadline": "1"}), 408, "request-timeout")
    is_error(contract.internal(gate, "POST", f"purge?alias={file['file']}", headers=[("X-Request-Deadline", "1")]), 408, "request-timeout")
    assert gate.fetch(file["file"])
    is_taken(upload(gate, pictures.tiny(3), headers=[("X-Request-Deadline", str(time.time_ns() + 60_000_000_000))]))


def test_a_relayed_deadline_is_nobodys(gate, alias):
    """4 X-Request-Deadline counts for direct requests alone"""
    for deadline in ("1", "soon"):
        headers = wire.as_lemmy_relays({"X-Request-Deadline": deadline})
        assert gate.get(f"/image/original/{alias}", headers).status == 200
        assert gate.get(f"/image/process.webp?src={alias}&thumbnail=96", headers).status == 200
        is_taken(upload(gate, pictures.tiny(4), headers=headers))


# --- relayed requests ---

CLOSED = [
    ("HEAD", "/image/original/{alias}"), ("POST", "/image/original/{alias}"), ("PUT", "/image/original/{alias}"), ("DELETE", "/image/original/{alias}"),
    ("GET", "/image/original?alias={alias}"), ("HEAD", "/image/original?alias={alias}"), ("GET", "/image/original"),
    ("GET", "/image/details/original/{alias}"), ("GET", "/image/details/original?alias={alias}"), ("GET", "/image/blurhash?alias={alias}"),
    ("GET", "/image/details/original?proxy=http%3A%2F%2F127.0.0.1%2Fa.png"), ("GET", "/image/blurhash?proxy=http%3A%2F%2F127.0.0.1%2Fa.png"),
    ("GET", "/image/download?url=http%3A%2F%2F127.0.0.1%2Fa.png"), ("GET", "/image/download?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F{alias}"),
    ("POST", "/image/backgrounded"), ("GET", "/image/backgrounded/claim?upload_id=00000000-0000-4000-8000-000000000000"),
    ("GET", "/image/delete/{token}/{alias}"), ("DELETE", "/image/delete/{token}/{alias}"),
    ("POST", "/internal/import"), ("POST", "/internal/delete?alias={alias}"), ("POST", "/internal/purge?alias={alias}"),
    ("GET", "/internal/aliases?alias={alias}"), ("GET", "/internal/identifier?alias={alias}"), ("DELETE", "/internal/variants"),
    ("POST", "/internal/set_not_found"), ("GET", "/internal/hashes"), ("POST", "/internal/prune_missing"), ("POST", "/internal/export"),
    ("POST", "/internal/prepare_upgrade"), ("GET", "/metrics"), ("GET", "/openapi.yaml"), ("GET", "/"), ("GET", "/image"), ("PUT", "/image"),
    ("GET", "//image/original/{alias}"), ("GET", "/image//original/{alias}"), ("GET", "/image/original/{alias}/"), ("GET", "/IMAGE/original/{alias}"),
    ("GET", "/image/../internal/hashes"), ("GET", "/image/original/..%2f..%2finternal%2fhashes"), ("GET", "/image/original/%2e%2e/%2e%2e/internal/hashes"),
    ("HEAD", "/healthz"), ("POST", "/healthz"), ("GET", "/healthz/"),
]


@pytest.mark.parametrize("method,target", [pytest.param(*c, id=f"4 relayed {c[0]} {c[1]} -> 404 empty") for c in CLOSED])
@pytest.mark.parametrize("more", [(), [("X-Api-Token", API_KEY)]], ids=["without a key", "with the key"])
def test_a_relayed_request_of_another_shape_is_nothing(gate, file, method, target, more):
    target = target.format(alias=file["file"], token=file["delete_token"])
    is_nothing(gate.request(method, target, wire.as_lemmy_relays([*more, ("Content-Length", "0")])))
    assert gate.fetch(file["file"])


@pytest.mark.parametrize("lines", rows(
    ("4 one line", [("X-Forwarded-For", "192.0.2.7")]), ("4 an empty line", [("X-Forwarded-For", "")]),
    ("4 in lower case", [("x-forwarded-for", "192.0.2.7")]), ("4 no address", [("X-Forwarded-For", "unknown")]),
    ("4 three lines", [("X-Forwarded-For", "192.0.2.7")] * 3)))
def test_any_x_forwarded_for_makes_a_request_a_relayed_one(gate, alias, lines):
    headers = [("X-Api-Token", API_KEY), *lines]
    is_nothing(gate.get(f"/image/details/original/{alias}", headers))
    is_nothing(gate.get("/internal/hashes", headers))
    assert gate.get(f"/image/original/{alias}", headers).status == 200


def test_a_refusal_is_the_same_for_relayed_uploads(gate):
    """4 a relayed POST image is answered like a direct one"""
    direct, relayed = (upload(gate, b"no picture", headers=h) for h in ((), wire.as_lemmy_relays()))
    assert is_refusal(direct, "command-failure") == is_refusal(relayed, "command-failure")
