"""The pict-rs contract: pictures of other sites, which of them are fetched and what their sites may do, row by row."""
import hashlib
import socket
import time

import contract
import pictures
import pytest
import wire
from contract import is_error, is_nothing, is_taken, quoted, rows
from gate import REFUSED, wait_until
from origin import Origin
from other_site import gate, origin  # noqa: F401  (fixtures)
from other_site import CAT, DOG, PIG, MOVING, FAILED, RELAYED, PAGES, download, fetches, is_picture, page, proxied, redirect


@pytest.fixture
def elsewhere():
    """A site at an address that is not to be reached."""
    with Origin({"/a.jpg": ("image/jpeg", CAT)}, host="127.0.0.2") as site:
        yield site


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
    assert time.monotonic() - begin < 6, "nobody was waited for"
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
    assert time.monotonic() - begin < 6
    is_error(gate.get(f"/image/details/original?proxy={quoted(origin.url(path))}"), 404, "proxy-not-found")
    assert not set(gate.blobs()) - before
    assert fetches(origin, path) < 25, "no loop"


@pytest.mark.parametrize("path", ["/large.jpg", "/longer", "/without-end"], ids=lambda p: f"14 {p} is over the limit -> 413 validate-file-size")
def test_too_much_is_413(gate, origin, path):
    begin = time.monotonic()
    is_error(download(gate, origin.url(path)), 413, "validate-file-size")
    is_error(proxied(gate, origin.url(path)), 413, "validate-file-size")
    assert time.monotonic() - begin < 6
    wait_until("the spool is empty", lambda: gate.metrics()["portcullis_spool_bytes"] == 0)


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


def is_placeholder(answer):
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (200, "image/png", "no-store"), answer
    assert pictures.decode(answer.body).size == (480, 360)


def test_what_policy_refuses_is_not_fetched_again(gate, origin):
    """5 a refused remote picture -> a stand-in or the placeholder, never its address; the second time without a fetch"""
    data = pictures.jpeg(50)
    origin.pages |= {"/refused.jpg": ("image/jpeg", data), "/refused-too.jpg": ("image/jpeg", data)}
    gate.add_list("own/refused", "sha256", [hashlib.sha256(data).hexdigest()])
    before = set(gate.blobs())
    for _ in range(3):
        file, = is_taken(download(gate, origin.url("/refused.jpg"), "&resize=512"))
        for target in (f"original/{file['file']}", f"process.webp?src={file['file']}&thumbnail=64"):
            is_placeholder(gate.get(f"/image/{target}", RELAYED))
        assert gate.get(f"/image/details/original/{file['file']}").json()["width"] == 480
        is_placeholder(proxied(gate, origin.url("/refused-too.jpg")))
        is_placeholder(proxied(gate, origin.url("/refused-too.jpg"), "process.webp", "&thumbnail=64"))
    assert (fetches(origin, "/refused.jpg"), fetches(origin, "/refused-too.jpg")) == (1, 1)
    is_placeholder(proxied(gate, origin.url("/refused.jpg")))
    assert fetches(origin, "/refused.jpg") == 1, "the verdict is the URL's, whoever asks"
    assert gate.get(f"/image/details/original?proxy={quoted(origin.url('/refused-too.jpg'))}").json()["width"] == 480
    is_placeholder(proxied(gate, origin.url("/refused-too.jpg"), headers=RELAYED))
    assert fetches(origin, "/refused-too.jpg") == 1 and not set(gate.blobs()) - before
    gate.remove_list("own/refused")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"], ids=lambda m: f"14 {m} image/download -> 404 empty")
def test_a_download_is_a_get(gate, origin, method):
    before = len(origin.asked)
    is_nothing(gate.request(method, f"/image/download?url={quoted(origin.url('/a.jpg'))}"))
    assert len(origin.asked) == before
