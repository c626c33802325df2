"""A site of other people as the tests of the contract need it: pictures, redirects, and an origin's every way to fail or to lie."""
import contract
import pictures
import pytest
import wire
from contract import quoted
from origin import Origin

CAT = pictures.jpeg(1)  # 640 x 480
DOG = pictures.png(2)
PIG = pictures.webp(3)
MOVING = pictures.animation(4)
LARGE = pictures.encode(pictures.photo(5), "JPEG") + bytes(1024 * 1024)
FAILED = "download-file-error"
RELAYED = wire.as_lemmy_relays()


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


def page(origin, name, data=CAT, content_type="image/jpeg"):
    """A page that no other test asks for; its address."""
    origin.pages[f"/{name}"] = (content_type, data)
    return origin.url(f"/{name}")


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room, profile="strict", media={"max_file_size": "1 MiB"}, egress={"timeout": "3s"}) as gate:
        yield gate


@pytest.fixture(scope="module")
def origin():
    with Origin(PAGES) as site:
        yield site
