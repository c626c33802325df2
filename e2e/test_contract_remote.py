"""The pict-rs contract: pictures of other sites, by image/download and by ?proxy=, row by row."""
import concurrent.futures
import hashlib
import socket
import time

import contract
import pictures
import pytest
import wire
from contract import internal, is_error, is_nothing, is_taken, quoted, rows, stored
from gate import REFUSED
from origin import Origin

CAT = pictures.jpeg(1)  # 640 x 480
DOG = pictures.png(2)
PIG = pictures.webp(3)
MOVING = pictures.animation(4)
LARGE = pictures.encode(pictures.photo(5), "JPEG") + bytes(1024 * 1024)
FAILED = "download-file-error"
RELAYED = wire.as_lemmy_relays()


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room, profile="strict", media={"max_file_size": "1 MiB"}, egress={"timeout": "3s"}) as gate:
        yield gate


@pytest.fixture(scope="module")
def origin():
    with Origin(PAGES) as site:
        yield site


@pytest.fixture
def elsewhere():
    """A site at an address that is not to be reached."""
    with Origin({"/a.jpg": ("image/jpeg", CAT)}, host="127.0.0.2") as site:
        yield site


def by_query(handler):
    """A page that depends on its query."""
    return {"a=1": ("image/jpeg", CAT), "a=1&b=2": ("image/png", DOG), "a=1&thumbnail=32": ("image/webp", PIG)}.get(
        handler.path.partition("?")[2], (404, {}, b""))


def raw(data):
    """A page that answers with these very bytes and closes."""
    def answer(handler):
        handler.wfile.write(data)
    return answer


def head_only(handler):
    """Sends a head and nothing else until the client has gone."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\n")
    handler.wfile.flush()
    handler.connection.settimeout(30)
    handler.rfile.read(1)


def silent(handler):
    handler.connection.settimeout(30)
    handler.rfile.read(1)


def without_end(handler):
    """A body without a length that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + CAT)
    try:
        while True:
            handler.wfile.write(bytes(64 * 1024))
    except OSError:
        pass


def redirect(status, location):
    return status, {"Location": location} if location is not None else {}, b""


OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
PAGES = {
    "/a.jpg": ("image/jpeg", CAT), "/b.png": ("image/png", DOG), "/c.webp": ("image/webp", PIG), "/d.gif": ("image/gif", MOVING),
    "/query": by_query, "/large.jpg": ("image/jpeg", LARGE),
    "/page.png": ("image/png", b"<html><body>no picture</body></html>"), "/page.html": ("text/html", b"<p>no picture</p>"),
    "/text.jpg": ("text/plain", CAT), "/half.jpg": ("image/jpeg", CAT[:20_000]), "/svg.svg": ("image/svg+xml", b"<svg/>"),
    "/as-png.png": ("image/png", CAT), "/no-type": (200, {}, CAT), "/empty.jpg": ("image/jpeg", b""),
    "/no-content": (204, {}, b""), "/not-modified": (304, {}, b""), "/bad-request": (400, {}, CAT), "/forbidden": (403, {}, CAT),
    "/missing-with-picture": (404, {"Content-Type": "image/jpeg"}, CAT), "/too-many": (429, {}, b""), "/broken": (500, {}, CAT), "/down": (503, {}, b""),
    "/301": redirect(301, "/a.jpg"), "/302": redirect(302, "/a.jpg"), "/303": redirect(303, "/a.jpg"), "/307": redirect(307, "/a.jpg"),
    "/308": redirect(308, "/a.jpg"), "/300": redirect(300, "/a.jpg"), "/nowhere": redirect(302, None), "/empty-location": redirect(302, ""),
    "/loop": redirect(302, "/loop"), "/ping": redirect(302, "/pong"), "/pong": redirect(302, "/ping"), "/to-404": redirect(302, "/404"),
    **{f"/hop-{n}": redirect(302, f"/hop-{n + 1}") for n in range(30)}, "/two-1": redirect(302, "/two-2"), "/two-2": redirect(302, "/a.jpg"),
    "/to-file": redirect(302, "file:///etc/passwd"), "/to-ftp": redirect(302, "ftp://127.0.0.1/a.jpg"), "/to-data": redirect(302, "data:image/png;base64,AA=="),
    "/to-private": redirect(302, "http://10.0.0.1/a.jpg"), "/to-metadata": redirect(302, "http://169.254.169.254/latest/"),
    "/cut": raw(OK + b"Content-Length: 100000\r\n\r\n" + CAT[:5_000]), "/cut-chunk": raw(OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + CAT[:5_000]),
    "/longer": raw(OK + b"Content-Length: 999999999999\r\n\r\n" + CAT), "/garbage": raw(b"\0\1\2 this is not HTTP\r\n\r\n"), "/closed": raw(b""),
    "/long-head": raw(OK + b"X-Long: " + b"x" * 2_000_000 + b"\r\n\r\n" + CAT), "/negative": raw(OK + b"Content-Length: -5\r\n\r\n" + CAT),
    "/head-only": head_only, "/silent": silent, "/without-end": without_end,
    "/close-delimited": raw(OK + b"\r\n" + CAT),
}


def download(gate, url, more="", headers=()):
    return gate.get(f"/image/download?url={quoted(url)}{more}", headers)


def proxied(gate, url, place="original", more="", headers=(), method="GET", encode=quoted):
    return gate.request(method, f"/image/{place}?proxy={encode(url)}{more}", headers)


def as_it_is(url):
    return url


def fetches(origin, path):
    return sum(asked.split("?")[0] == path for asked in origin.asked)


def is_picture(answer, like):
    """Shows what `like` shows."""
    assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(answer.body), answer
    assert pictures.decode(answer.body).size == pictures.decode(like).size
    assert pictures.difference(pictures.pixels(answer.body), pictures.pixels(like)) < 12
    return answer


# --- image/download ---

@pytest.mark.parametrize("path,like,extension,content_type", rows(
    ("1.1 download of a JPEG", "/a.jpg", CAT, ".jpeg", "image/jpeg"), ("1.1 download of a PNG", "/b.png", DOG, ".png", "image/png"),
    ("1.1 download of a WebP", "/c.webp", PIG, ".webp", "image/webp"), ("1.1 download of an animation", "/d.gif", MOVING, ".gif", "image/gif"),
    ("1.1 download of a picture called text", "/text.jpg", CAT, ".jpeg", "image/jpeg"),
    ("1.1 download of a JPEG called PNG", "/as-png.png", CAT, ".jpeg", "image/jpeg"),
    ("1.1 download of a picture without a type", "/no-type", CAT, ".jpeg", "image/jpeg"),
    ("1.1 download without a length", "/close-delimited", CAT, ".jpeg", "image/jpeg"),
    ("5 a fragment is not sent", "/a.jpg#part", CAT, ".jpeg", "image/jpeg"),
))
def test_a_download_is_answered_like_an_upload(gate, origin, path, like, extension, content_type):
    file, = is_taken(download(gate, origin.url(path)))
    assert file["file"].endswith(extension) and file["details"]["content_type"] == content_type
    is_picture(gate.get(f"/image/original/{file['file']}", RELAYED), like)
    assert gate.get(f"/image/details/original/{file['file']}").json() == file["details"]
    is_nothing(gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}"), 204)


@pytest.mark.parametrize("more,size", rows(
    ("1.1 download&resize=512 as Lemmy asks", "&resize=512", (512, 384)), ("1.1 download&resize=64", "&resize=64", (64, 48)),
    ("1.1 download&resize=2000 makes nothing larger", "&resize=2000", (640, 480)), ("1.1 download&crop=1x1&thumbnail=50", "&crop=1x1&thumbnail=50", (50, 50)),
    ("1.1 download&max_width=640", "&max_width=640", (640, 480))))
def test_a_download_may_ask_for_operations(gate, origin, more, size):
    file, = is_taken(download(gate, origin.url("/a.jpg"), more, wire.as_lemmy_asks()))
    assert (file["details"]["width"], file["details"]["height"]) == size
    assert pictures.decode(gate.fetch(file["file"])).size == size


def test_each_download_has_an_alias_of_its_own(gate, origin):
    """5 the same URL again -> 201 with another alias; both work"""
    first, second = (is_taken(download(gate, origin.url("/b.png")))[0] for _ in range(2))
    assert first["file"] != second["file"]
    is_nothing(gate.request("DELETE", f"/image/delete/{first['delete_token']}/{first['file']}"), 204)
    is_picture(gate.get(f"/image/original/{second['file']}"), DOG)


@pytest.mark.parametrize("more,code,status", rows(
    ("3 download&foo=bar", "&foo=bar", "invalid-process-path", 400), ("3 download&resize=abc", "&resize=abc", "invalid-process-path", 400),
    ("3 download&blur=NaN", "&blur=NaN", "invalid-process-path", 400), ("3 download&max_width=abc", "&max_width=abc", "invalid-query", 400),
    ("3 download&allow_image=maybe", "&allow_image=maybe", "invalid-query", 400)))
def test_a_bad_query_fetches_nothing(gate, origin, more, code, status):
    before = len(origin.asked)
    is_error(download(gate, origin.url("/a.jpg"), more), status, code)
    assert len(origin.asked) == before


@pytest.mark.parametrize("more,path,code,status", rows(
    ("1.1 download&max_width=639 -> validate-width", "&max_width=639", "/a.jpg", "validate-width", 400),
    ("1.1 download&max_file_size=0 -> 413", "&max_file_size=0", "/a.jpg", "validate-file-size", 413),
    ("1.1 download&allow_image=false -> media-disallowed", "&allow_image=false", "/a.jpg", "media-disallowed", 400),
    ("1.1 download&allow_animation=false -> media-disallowed", "&allow_animation=false", "/d.gif", "media-disallowed", 400)))
def test_a_download_may_ask_for_stricter_limits(gate, origin, more, path, code, status):
    is_error(download(gate, origin.url(path), more), status, code)


@pytest.mark.parametrize("target", ["download", "download?", "download?resize=64", "download?URL=http%3A%2F%2F127.0.0.1%2F", "download?alias=a.jpeg"],
                         ids=lambda t: f"3 {t} -> 400 invalid-query")
def test_a_download_needs_a_url(gate, target):
    is_error(gate.get(f"/image/{target}"), 400, "invalid-query")


NO_URL = [
    "data:image/png;base64,iVBORw0KGgo=", "ftp://127.0.0.1/a.jpg", "javascript:alert(1)", "file:///etc/passwd", "gopher://127.0.0.1/", "about:blank",
    "dict://127.0.0.1:11211/stat", "blob:http://127.0.0.1/x", "ws://127.0.0.1/", "//127.0.0.1/a.jpg", "/a.jpg", "a.jpg", "http:", "http://", "http:///a.jpg",
    "http://user:password@127.0.0.1/a.jpg", "http://user@127.0.0.1/a.jpg", "http://127.0.0.1:99999/a.jpg", "http://127.0.0.1:x/a.jpg", "http://[::1/a.jpg",
    "http://127.0.0.1/a b.jpg", "http://127.0.0.1/a\r\nX: y", "http://127.0.0.1/\0", "http://127.0.0.1\\@10.0.0.1/", "http://exa mple/a.jpg", "http://%zz/",
    "httpx://127.0.0.1/a.jpg", " http://127.0.0.1/a.jpg",
]


@pytest.mark.parametrize("url", NO_URL, ids=lambda u: f"5 {u!r} -> 400 download-file-error")
def test_what_cannot_be_fetched_is_refused(gate, url):
    is_nothing(proxied(gate, url, headers=RELAYED))
    is_error(download(gate, url), 400, FAILED)
    is_error(proxied(gate, url), 400, FAILED)
    is_error(proxied(gate, url, "process.webp", "&thumbnail=64"), 400, FAILED)


FORBIDDEN = [
    "127.0.0.2", "127.1.2.3", "2130706434", "0x7f.0.0.2", "0x7f000002", "0177.0.0.2", "127.2", "[::1]", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "0.0.0.0",
    "0", "[::]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "[fd00::1]", "[fe80::1]", "[ff02::1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[2001:0:a00:1::]", "[::10.0.0.1]",
]


@pytest.mark.parametrize("host", FORBIDDEN, ids=lambda h: f"5 http://{h}/ -> 400 download-file-error, at once")
def test_an_address_that_is_not_public_is_refused(gate, elsewhere, host):
    begin = time.monotonic()
    for url in (f"http://{host}:{elsewhere.server.server_port}/a.jpg", f"https://{host}/a.jpg"):
        is_error(download(gate, url), 400, FAILED)
        is_error(proxied(gate, url), 400, FAILED)
    assert time.monotonic() - begin < 2.5, "nobody was waited for"
    assert elsewhere.asked == []


def test_a_redirect_is_judged_like_the_first_address(gate, origin, elsewhere):
    """5 a redirect to an address that is not public is not followed"""
    for host in ("127.0.0.2", "2130706434", "[::ffff:127.0.0.2]"):
        origin.pages["/to-elsewhere"] = redirect(302, f"http://{host}:{elsewhere.server.server_port}/a.jpg")
        is_error(download(gate, origin.url("/to-elsewhere")), 400, FAILED)
        is_error(proxied(gate, origin.url("/to-elsewhere")), 400, FAILED)
    assert elsewhere.asked == [] and fetches(origin, "/to-elsewhere") > 0


@pytest.mark.parametrize("path", ["/301", "/302", "/303", "/307", "/308", "/two-1"], ids=lambda p: f"5 a redirect, {p} -> followed")
def test_a_redirect_is_followed(gate, origin, path):
    is_taken(download(gate, origin.url(path)))
    is_picture(proxied(gate, origin.url(path)), CAT)


LYING = rows(
    *((f"5 {path} -> 400 download-file-error", path, FAILED) for path in (
        "/404", "/no-content", "/not-modified", "/bad-request", "/forbidden", "/missing-with-picture", "/too-many", "/broken", "/down",
        "/300", "/nowhere", "/empty-location", "/loop", "/ping", "/hop-0", "/to-404", "/to-file", "/to-ftp", "/to-data", "/to-private", "/to-metadata",
        "/cut", "/cut-chunk", "/garbage", "/closed", "/long-head", "/negative")),
    ("5 an empty body -> 400", "/empty.jpg", (FAILED, "validate-file-empty")),
    *((f"5 {path} is no picture -> 400 command-failure", path, contract.CANNOT_DECODE) for path in (
        "/page.png", "/page.html", "/half.jpg", "/svg.svg")),
)


@pytest.mark.parametrize("path,code", LYING)
def test_an_origin_that_fails_or_lies(gate, origin, path, code):
    before = set(gate.blobs())
    begin = time.monotonic()
    is_error(download(gate, origin.url(path)), 400, code)
    is_error(proxied(gate, origin.url(path)), 400, code)
    assert time.monotonic() - begin < 5
    is_error(gate.get(f"/image/details/original?proxy={quoted(origin.url(path))}"), 404, "proxy-not-found")
    assert not set(gate.blobs()) - before
    assert fetches(origin, path) < 25, "no loop"


@pytest.mark.parametrize("path", ["/large.jpg", "/longer", "/without-end"], ids=lambda p: f"14 {p} is over the limit -> 413 validate-file-size")
def test_too_much_is_413(gate, origin, path):
    begin = time.monotonic()
    is_error(download(gate, origin.url(path)), 413, "validate-file-size")
    is_error(proxied(gate, origin.url(path)), 413, "validate-file-size")
    assert time.monotonic() - begin < 5 and gate.metrics()["portcullis_spool_bytes"] == 0


@pytest.mark.parametrize("path", ["/head-only", "/silent"], ids=lambda p: f"5 {p} -> 400 download-file-error within the site's time")
def test_an_origin_that_never_answers(gate, origin, path):
    begin = time.monotonic()
    is_error(download(gate, origin.url(path)), 400, FAILED)
    assert time.monotonic() - begin < 8


def test_an_origin_that_is_not_there(gate):
    """5 connection refused, unknown name -> 400 download-file-error"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/a.jpg", f"https://127.0.0.1:{port}/a.jpg", "http://nothing.invalid/a.jpg"):
        is_error(download(gate, url), 400, FAILED)
        is_error(proxied(gate, url), 400, FAILED)


def test_what_policy_refuses_is_not_fetched_again(gate, origin):
    """5 a refused remote picture -> 400 failed-external-validation; the second time without a fetch"""
    data = pictures.jpeg(50)
    origin.pages |= {"/refused.jpg": ("image/jpeg", data), "/refused-too.jpg": ("image/jpeg", data)}
    gate.add_list("own/refused", "sha256", [hashlib.sha256(data).hexdigest()])
    before = set(gate.blobs())
    for _ in range(3):
        is_error(download(gate, origin.url("/refused.jpg"), "&resize=512"), 400, REFUSED)
        is_error(proxied(gate, origin.url("/refused-too.jpg")), 400, REFUSED)
        is_error(proxied(gate, origin.url("/refused-too.jpg"), "process.webp", "&thumbnail=64"), 400, REFUSED)
    assert (fetches(origin, "/refused.jpg"), fetches(origin, "/refused-too.jpg")) == (1, 1)
    is_error(proxied(gate, origin.url("/refused.jpg")), 400, REFUSED)
    assert fetches(origin, "/refused.jpg") == 1, "the verdict is the URL's, whoever asks"
    is_error(gate.get(f"/image/details/original?proxy={quoted(origin.url('/refused-too.jpg'))}"), 404, "proxy-not-found")
    assert proxied(gate, origin.url("/refused-too.jpg"), headers=RELAYED).status in (400, 404)
    assert fetches(origin, "/refused-too.jpg") == 1 and not set(gate.blobs()) - before
    gate.remove_list("own/refused")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"], ids=lambda m: f"14 {m} image/download -> 404 empty")
def test_a_download_is_a_get(gate, origin, method):
    before = len(origin.asked)
    is_nothing(gate.request(method, f"/image/download?url={quoted(origin.url('/a.jpg'))}"))
    assert len(origin.asked) == before


# --- ?proxy= ---

def page(origin, name, data=CAT, content_type="image/jpeg"):
    """A page that no other test asks for; its address."""
    origin.pages[f"/{name}"] = (content_type, data)
    return origin.url(f"/{name}")


def test_a_proxied_picture_is_fetched_once(gate, origin):
    """1.2 original?proxy=enc(U) -> 200, stored; again, by details, HEAD or relayed: without a fetch"""
    url = page(origin, "once.jpg")
    first = is_picture(proxied(gate, url, headers=wire.as_lemmy_asks()), CAT)
    assert first.headers["Content-Type"] == "image/jpeg" and first.headers["Cache-Control"] == "public, max-age=86400"
    assert first.headers["ETag"] and first.headers["Last-Modified"] and first.headers["Accept-Ranges"] == "bytes"
    details = gate.get(f"/image/details/original?proxy={quoted(url)}")
    assert details.status == 200 and (contract.are_details(details.json())["width"], details.json()["content_type"]) == (640, "image/jpeg")
    assert gate.get(f"/image/blurhash?proxy={quoted(url)}").json() == {"msg": "ok", "blurhash": details.json()["blurhash"]}
    head = proxied(gate, url, method="HEAD")
    assert (head.status, head.headers["Content-Length"], head.headers["ETag"]) == (200, str(len(first.body)), first.headers["ETag"])
    for again in (proxied(gate, url), proxied(gate, url, encode=as_it_is), proxied(gate, url, headers=RELAYED),
                  proxied(gate, url, headers=RELAYED, encode=as_it_is)):
        assert (again.status, again.body) == (200, first.body)
    part = proxied(gate, url, headers=[("Range", "bytes=2-5")])
    assert (part.status, part.body) == (206, first.body[2:6])
    assert proxied(gate, url, headers=[("If-None-Match", first.headers["ETag"])]).status == 304
    assert proxied(gate, url, headers=wire.as_lemmy_relays([("If-None-Match", first.headers["ETag"])])).status == 200
    assert fetches(origin, "/once.jpg") == 1


def test_a_proxied_variant_is_made_of_the_stored_copy(gate, origin):
    """1.3 process.webp?proxy=U&thumbnail=64 -> fetched once, made here"""
    url = page(origin, "variant.jpg")
    for place, more, size in (("process.webp", "&thumbnail=64", (64, 48)), ("process.png", "&thumbnail=32", (32, 24)), ("process.jpg", "", (640, 480)),
                              ("process.webp", "&crop=1x1&resize=20", (20, 20))):
        answer = proxied(gate, url, place, more)
        assert answer.status == 200 and pictures.decode(answer.body).size == size
    for encode in (quoted, as_it_is):
        relayed = proxied(gate, url, "process.webp", "&thumbnail=64", RELAYED, encode=encode)
        assert relayed.status == 200 and pictures.decode(relayed.body).size == (64, 48)
        assert proxied(gate, url, "process.avif", "", RELAYED, encode=encode).status == 200
    assert gate.get(f"/image/details/process.webp?proxy={quoted(url)}&thumbnail=64").json()["width"] == 64
    assert fetches(origin, "/variant.jpg") == 1


def test_what_never_fetches(gate, origin):
    """1.2 details?proxy= and HEAD?proxy= of what is not stored -> 404, and nobody is asked"""
    url = page(origin, "never.jpg")
    is_error(gate.get(f"/image/details/original?proxy={quoted(url)}"), 404, "proxy-not-found")
    is_error(gate.get(f"/image/details/process.webp?proxy={quoted(url)}&thumbnail=64"), 404, "proxy-not-found")
    for place in ("original", "process.webp"):
        assert proxied(gate, url, place, method="HEAD").status == 404
    for method, path in (("POST", "purge"), ("GET", "aliases"), ("GET", "identifier")):
        is_error(internal(gate, method, f"{path}?proxy={quoted(url)}"), 404, "proxy-not-found")
    assert internal(gate, "POST", f"delete?proxy={quoted(url)}").json() == {"msg": "ok"}
    is_nothing(proxied(gate, url, headers=RELAYED))
    assert fetches(origin, "/never.jpg") == 0


def test_a_blurhash_fetches(gate, origin):
    """14 blurhash?proxy= of what is not stored -> fetched, stored, 200"""
    url = page(origin, "blurhash.jpg")
    answer = gate.get(f"/image/blurhash?proxy={quoted(url)}")
    assert answer.status == 200 and set(answer.json()) == {"msg", "blurhash"}
    assert gate.get(f"/image/details/original?proxy={quoted(url)}").json()["blurhash"] == answer.json()["blurhash"]
    assert fetches(origin, "/blurhash.jpg") == 1


@pytest.mark.parametrize("place,more", [("original", ""), ("process.webp", ""), ("process.webp", "&thumbnail=64"), ("process.jpg", "&thumbnail=64")])
@pytest.mark.parametrize("encode", [quoted, as_it_is], ids=["encoded", "as it is"])
def test_what_was_not_announced_is_not_fetched_for_others(gate, origin, place, more, encode):
    """4 relayed ?proxy=U of a U that Lemmy did not ask for -> 404 empty"""
    url = page(origin, f"unannounced-{place}{len(more)}{encode.__name__}.jpg")
    is_nothing(proxied(gate, url, place, more, RELAYED, encode=encode))
    assert not any("unannounced" in asked for asked in origin.asked)


def test_what_was_announced_is_fetched_for_others(gate, origin):
    """4 relayed ?proxy=U of an announced U that could not be fetched then -> fetched now"""
    for headers, encode in ((RELAYED, quoted), (RELAYED, as_it_is)):
        path = f"/announced-{encode.__name__}.jpg"
        is_error(proxied(gate, origin.url(path)), 400, FAILED)
        page(origin, path[1:])
        is_picture(proxied(gate, origin.url(path), headers=headers, encode=encode), CAT)


@pytest.mark.parametrize("place,more", [("original", "&thumbnail=64"), ("original", "&alias=a.jpeg"), ("process.webp", "&resize=64"), ("process.webp", "&blur=1"),
                                        ("process.webp", "&thumbnail=64&crop=1x1"), ("process.webp", "&thumbnail=x"), ("details/original", ""),
                                        ("details/process.webp", "&thumbnail=64"), ("blurhash", ""), ("process_backgrounded.webp", "")],
                         ids=lambda x: x or "alone")
def test_relayed_proxies_have_few_shapes(gate, origin, place, more):
    """4 anything else about an announced U -> 404 empty"""
    url = page(origin, "shapes.jpg")
    is_picture(proxied(gate, url), CAT)
    is_nothing(proxied(gate, url, place, more, RELAYED))


def test_an_address_with_a_query_is_not_cut(gate, origin):
    """11.1.10 U with & in it, in both spellings; pict-rs serves a wrong picture there"""
    cat, dog, pig = (origin.url(f"/query?{q}") for q in ("a=1", "a=1&b=2", "a=1&thumbnail=32"))
    for url, like in ((cat, CAT), (dog, DOG), (pig, PIG)):
        is_picture(proxied(gate, url), like)
    asked = fetches(origin, "/query")
    assert asked == 3
    is_picture(proxied(gate, dog, headers=RELAYED, encode=as_it_is), DOG)
    is_picture(proxied(gate, cat, headers=RELAYED, encode=as_it_is), CAT)
    is_picture(proxied(gate, pig, headers=RELAYED), PIG)
    for encode in (quoted, as_it_is):
        small = proxied(gate, dog, "process.png", "&thumbnail=64", RELAYED, encode=encode)
        assert small.status == 200 and pictures.difference(pictures.pixels(small.body), pictures.photo(2, 320, 240).resize((64, 48), 1)) < 12
    assert fetches(origin, "/query") == asked


def test_a_raw_address_is_taken_literally(gate, origin):
    """11.1.10 what stands raw is not decoded once more"""
    origin.pages |= {"/a%20b.jpg": ("image/jpeg", CAT), "/a%2520b.jpg": ("image/png", DOG)}
    is_picture(proxied(gate, origin.url("/a%20b.jpg")), CAT)
    is_picture(proxied(gate, origin.url("/a%20b.jpg"), headers=RELAYED, encode=as_it_is), CAT)
    is_picture(proxied(gate, origin.url("/a%2520b.jpg")), DOG)
    is_picture(proxied(gate, origin.url("/a%2520b.jpg"), headers=RELAYED, encode=as_it_is), DOG)
    assert [fetches(origin, path) for path in ("/a%20b.jpg", "/a%2520b.jpg")] == [1, 1]


def test_a_fragment_makes_no_other_picture(gate, origin):
    """11.1.10 U and U#part are one"""
    url = page(origin, "fragment.jpg")
    for spelled in (f"{url}#part", url, f"{url}#other", f"{url}#"):
        is_picture(proxied(gate, spelled), CAT)
        is_picture(proxied(gate, spelled, headers=RELAYED), CAT)
    assert fetches(origin, "/fragment.jpg") == 1 and not any("#" in asked for asked in origin.asked)


def test_many_at_once_fetch_once(gate, origin):
    """14 ten first requests at once -> one fetch; pict-rs makes ten"""
    url = page(origin, "crowd.jpg", pictures.jpeg(60))
    with concurrent.futures.ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(lambda _: proxied(gate, url), range(10)))
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert fetches(origin, "/crowd.jpg") == 1


def test_proxy_is_one_of_the_ways_to_name_a_picture(gate, origin):
    """3 ?proxy= (empty) -> 400 invalid-query"""
    for place in ("original", "process.webp", "details/original", "blurhash"):
        is_error(gate.get(f"/image/{place}?proxy="), 400, "invalid-query")
    is_nothing(gate.get("/image/original?proxy=", RELAYED))


def test_a_bad_operation_fetches_nothing(gate, origin):
    """14 process?proxy=U&blur=NaN -> 400 invalid-process-path before anything"""
    url = page(origin, "bad-operation.jpg")
    is_error(proxied(gate, url, "process.webp", "&blur=NaN"), 400, "invalid-process-path")
    is_error(proxied(gate, url, "process.bmp"), 400, "invalid-file-extension")
    assert fetches(origin, "/bad-operation.jpg") == 0


@pytest.mark.parametrize("what", ["purge", "delete"])
def test_a_proxied_copy_can_be_removed(gate, origin, what):
    """2 internal/purge?proxy= and internal/delete?proxy="""
    url = page(origin, f"{what}.jpg", pictures.jpeg(70 + len(what)))
    is_picture(proxied(gate, url), pictures.jpeg(70 + len(what)))
    alias, = internal(gate, "GET", f"aliases?proxy={quoted(url)}").json()["aliases"]
    assert internal(gate, "GET", f"identifier?proxy={quoted(url)}").status == 200
    gone = internal(gate, "POST", f"{what}?proxy={quoted(url)}")
    assert gone.status == 200 and gone.json() == ({"msg": "ok", "aliases": [alias]} if what == "purge" else {"msg": "ok"})
    is_nothing(gate.get(f"/image/original/{alias}"))
    is_error(gate.get(f"/image/details/original?proxy={quoted(url)}"), 404, "proxy-not-found")
    is_picture(proxied(gate, url), pictures.jpeg(70 + len(what)))
    assert fetches(origin, f"/{what}.jpg") <= 2, "it may be fetched again for whoever asks"


# --- own pictures ---

SPELLINGS = ["https://lemmy.example/pictrs/image/{alias}", "http://lemmy.example/pictrs/image/{alias}", "https://LEMMY.example/pictrs/image/{alias}",
             "https://lemmy.example:443/pictrs/image/{alias}", "https://lemmy.example./pictrs/image/{alias}",
             "https://lemmy.example/pictrs/image/{alias}?format=webp&thumbnail=256", "https://lemmy.example/pictrs/image/{alias}#part",
             "https://lemmy.example/api/v4/image/{alias}", "https://lemmy.example/api/v4/image/{alias}?file_type=webp&max_size=96",
             "https://lemmy.example/api/v3/image_proxy?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F{alias}"]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: f"11.1.9 {s} is resolved inside")
def test_an_own_address_is_resolved_inside(gate, spelling):
    alias = stored(gate, CAT)["file"]
    url = spelling.format(alias=alias)
    file, = is_taken(download(gate, url, "&resize=64"))
    assert file["file"] != alias and file["details"]["width"] == 64
    assert pictures.decode(gate.fetch(file["file"])).size == (64, 48)
    plain, = is_taken(download(gate, url))
    assert plain["file"] not in (alias, file["file"]) and gate.fetch(plain["file"]) == gate.fetch(alias)
    for headers in ((), RELAYED):
        assert proxied(gate, url, headers=headers).body == gate.fetch(alias)
        assert pictures.decode(proxied(gate, url, "process.webp", "&thumbnail=64", headers).body).size == (64, 48)
    assert gate.get(f"/image/details/original?proxy={quoted(url)}").json()["width"] == 640
    assert internal(gate, "POST", f"delete?alias={alias}").status == 200


@pytest.mark.parametrize("url", [
    "https://lemmy.example/pictrs/image/00000000-0000-4000-8000-000000000000.jpeg", "https://lemmy.example/pictrs/image/", "https://lemmy.example/",
    "https://lemmy.example/other.png", "https://lemmy.example/pictrs/image/..%2f..%2fsecret", "https://lemmy.example/internal/hashes",
    "https://lemmy.example/api/v3/image_proxy", "https://lemmy.example/api/v3/image_proxy?url=javascript%3Aalert(1)",
    "https://lemmy.example/pictrs/image/delete/x/y", "https://lemmy.example/pictrs/image/original/x"], ids=lambda u: f"11.1.9 {u} -> 400 or 404, nothing is fetched")
def test_an_own_address_without_a_picture(gate, url):
    begin = time.monotonic()
    for answer in (download(gate, url), proxied(gate, url)):
        assert answer.status in (400, 404), answer
    assert time.monotonic() - begin < 1
    assert proxied(gate, url, headers=RELAYED).status == 404


@pytest.mark.parametrize("url", ["https://lemmy.example.invalid/pictrs/image/{alias}", "https://notlemmy.example/pictrs/image/{alias}",
                                 "https://sub.lemmy.example/pictrs/image/{alias}", "https://invalid/lemmy.example/pictrs/image/{alias}"],
                         ids=lambda u: f"11.1.9 {u} is somebody else's")
def test_only_the_sites_own_names_are_its_own(gate, url):
    alias = stored(gate, CAT)["file"]
    is_error(download(gate, url.format(alias=alias)), 400, FAILED)


def test_an_own_proxy_address_is_the_remote_picture(gate, origin):
    """11.1.9 https://lemmy.example/api/v3/image_proxy?url=enc(U) is U, fetched once"""
    url = page(origin, "inner.jpg", pictures.jpeg(80))
    for path in ("api/v3/image_proxy", "api/v4/image/proxy"):
        is_picture(proxied(gate, f"https://lemmy.example/{path}?url={quoted(url)}"), pictures.jpeg(80))
    is_picture(proxied(gate, url), pictures.jpeg(80))
    assert fetches(origin, "/inner.jpg") == 1


@pytest.mark.parametrize("how", ["its token", "internal/delete", "internal/purge"], ids=lambda h: f"11.1.8 by {h}")
def test_a_derived_alias_goes_with_its_parent(gate, how):
    """11.1.8 the thumbnail of an upload goes with the upload"""
    parent = stored(gate, pictures.jpeg(90))
    url = f"https://lemmy.example/pictrs/image/{parent['file']}"
    derived = [is_taken(download(gate, url, more))[0] for more in ("&resize=512", "")]
    of_derived, = is_taken(download(gate, f"https://lemmy.example/pictrs/image/{derived[0]['file']}", "&resize=32"))
    is_nothing(gate.request("DELETE", f"/image/delete/{derived[1]['delete_token']}/{derived[1]['file']}"), 204)
    assert gate.fetch(parent["file"]) and gate.fetch(derived[0]["file"]), "the parent does not go with what is derived"
    if how == "its token":
        is_nothing(gate.request("DELETE", f"/image/delete/{parent['delete_token']}/{parent['file']}"), 204)
    elif how == "internal/delete":
        assert internal(gate, "POST", f"delete?alias={parent['file']}").status == 200
    else:
        gone = internal(gate, "POST", f"purge?alias={parent['file']}").json()["aliases"]
        assert {parent["file"], derived[0]["file"], of_derived["file"]} <= set(gone)
    for file in (parent, *derived, of_derived):
        is_nothing(gate.get(f"/image/original/{file['file']}"))
    assert download(gate, url).status in (400, 404)


def test_a_picture_of_the_same_bytes_is_not_derived(gate, origin):
    """10.8 the same picture uploaded and federated: removing the one leaves the other"""
    upload = stored(gate, CAT)
    federated, = is_taken(download(gate, origin.url("/a.jpg")))
    is_nothing(gate.request("DELETE", f"/image/delete/{federated['delete_token']}/{federated['file']}"), 204)
    assert gate.fetch(upload["file"])
    federated, = is_taken(download(gate, origin.url("/a.jpg")))
    is_nothing(gate.request("DELETE", f"/image/delete/{upload['delete_token']}/{upload['file']}"), 204)
    assert gate.fetch(federated["file"])
