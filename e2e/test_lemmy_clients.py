"""Lemmy's own clients, of 0.19 and of 1.0, against an imposter of Lemmy that stands before the running gate: what people
do with pictures, and what they are told when a picture is refused."""
import base64
import contextlib
import hashlib
import json
import pathlib
import shutil
import subprocess
import threading
import urllib.parse

import pictures
import pytest
import wire
from gate import Gate
from lemmy_imposter import Lemmy019, Lemmy1
from origin import Origin

ROOT = pathlib.Path(__file__).parent.parent
API_KEY = "key-between-lemmy-and-the-gate-1"
LIMIT = 100 * 1024  # bytes of a file, for the shared gate


class Thrown(Exception):
    """What the client threw: `name` is what Lemmy's own pages show."""

    def __init__(self, name, message):
        super().__init__(name, message)
        self.name, self.message = name, message


class Clients:
    """One Node.js process that holds both clients."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process = subprocess.Popen(["node", ROOT / "e2e/js/client.mjs", ROOT / ".deps/js"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, **what):
        with self.lock:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            said = json.loads(self.process.stdout.readline())
        if "thrown" in said:
            raise Thrown(**said["thrown"])
        return said.get("answer")

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


class Client:
    """A person at a client: methods of LemmyHttp, with a form as keywords."""

    def __init__(self, clients, lemmy, person=None, headers=None):
        self.clients, self.lemmy, self.person = clients, lemmy, person
        self.headers = headers if headers is not None else {"Authorization": f"Bearer {person.token}"} if person else {}

    def __getattr__(self, name):
        def call(**form):
            return self.clients.call(version="v3" if isinstance(self.lemmy, Lemmy019) else "v4", base=self.lemmy.base,
                                     headers=self.headers, call=name, form=form)
        return call

    def upload(self, data, method="uploadImage"):
        """(address, alias) of an accepted picture."""
        answer = getattr(self, method)(image={"base64": base64.b64encode(data).decode()})
        if isinstance(self.lemmy, Lemmy019):
            assert answer["msg"] == "ok" and answer["delete_url"], answer
            return answer["url"], answer["files"][0]["file"]
        return answer["image_url"], answer["filename"]

    def set_avatar(self, data):
        if not isinstance(self.lemmy, Lemmy019):
            return self.upload(data, "uploadUserAvatar")
        url, alias = self.upload(data)
        self.saveUserSettings(avatar=url)
        return url, alias

    def post(self, name="a post", **form):
        return self.createPost(name=name, community_id=1, **form)["post_view"]["post"]

    def delete(self, alias):
        if isinstance(self.lemmy, Lemmy019):
            return self.deleteImage(token="any", filename=alias)
        return self.deleteMedia(filename=alias)["success"]

    def media(self):
        answer = self.listMedia()
        return [entry["local_image"]["pictrs_alias"] for entry in answer.get("images", answer.get("items"))]


@pytest.fixture(scope="module")
def clients():
    running = Clients()
    yield running
    running.end()


@pytest.fixture(scope="module")
def gate(binaries, room):
    running = Gate(binaries, room / "shared")
    running.configure("listen", api_key=API_KEY)
    running.configure("site", hosts=["127.0.0.1"])
    running.configure("egress", allow=["127.0.0.2/32"])
    running.configure("media", max_file_size=f"{LIMIT} B")
    yield running.start()
    running.end()


@pytest.fixture(params=[Lemmy019, Lemmy1], ids=["0.19", "1.0"])
def lemmy(request, gate):
    made = request.param(f"http://{gate.media[0]}:{gate.media[1]}/", API_KEY)
    yield made
    made.end()


@pytest.fixture
def user(clients, lemmy):
    return Client(clients, lemmy, lemmy.add_person("alice"))


@pytest.fixture
def admin(clients, lemmy):
    return Client(clients, lemmy, lemmy.admin)


@pytest.fixture
def origin():
    page = b'<html><head><meta property="og:image" content="/cat.png"></head></html>'
    with Origin({"/cat.png": ("image/png", pictures.png(51, 160, 120)), "/dog.jpg": ("image/jpeg", pictures.tiny(52)),
                 "/page.html": ("text/html", page), "/text.png": ("image/png", b"no picture at all")}, "127.0.0.2") as site:
        yield site


def fetch(url, headers=()):
    """As a browser: one GET, no redirect is followed."""
    parts = urllib.parse.urlsplit(url)
    with wire.Wire((parts.hostname, parts.port)) as connection:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.send(wire.head("GET", target, [("User-Agent", "Mozilla/5.0"), *headers], host=parts.netloc))
        return connection.read()


def shows(url, data=None):
    """The picture behind an address, which there must be; pixels near those of `data`."""
    answer = fetch(url)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("image/"), (url, answer)
    picture = pictures.decode(answer.body)
    if data is not None:
        want = pictures.decode(data).convert("RGB").resize(picture.size)
        assert pictures.difference(picture.convert("RGB"), want) < 12
    return picture


def variant(lemmy, url, shape, size):
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}{lemmy.format_key}={shape}&{lemmy.size_key}={size}"


# --- uploads ---


def test_an_upload_is_shown_listed_and_deleted(user, admin, lemmy):
    data = pictures.jpeg(60, 320, 240)
    url, alias = user.upload(data)
    assert shows(url, data).size == (320, 240)
    small = shows(variant(lemmy, url, "webp", 96), data)
    assert (small.format, max(small.size)) == ("WEBP", 96)
    assert user.media() == [alias] and admin.media() == []
    assert user.delete(alias)
    assert user.media() == []
    gone = fetch(url)
    assert (gone.status, gone.body) == (404, b"")


def test_the_upload_arrives_as_the_clients_own_request(user, lemmy):
    user.upload(pictures.tiny(61))
    (method, target, headers), names = lemmy.pictrs.asked[-1], [name.lower() for name, _ in lemmy.pictrs.asked[-1][2]]
    assert method == "POST" and target.startswith("/image")
    assert "authorization" in names and names.count("x-forwarded-for") == 1 and names.count("accept-encoding") == 1


def test_a_cookie_alone_is_a_login_too(clients, lemmy):
    person = lemmy.add_person("with-a-cookie")
    by_cookie = Client(clients, lemmy, headers={"Cookie": f"a=b; jwt={person.token}"})
    _, alias = by_cookie.upload(pictures.tiny(62))
    assert by_cookie.media() == [alias]


def test_strangers_cannot_upload(clients, lemmy):
    stranger = Client(clients, lemmy, headers={"Authorization": "Bearer nobody"})
    before = len(lemmy.pictrs.asked)
    if isinstance(lemmy, Lemmy019):
        answer = stranger.uploadImage(image={"base64": base64.b64encode(pictures.tiny(63)).decode()})
        assert answer == {"error": "incorrect_login"}
    else:
        with pytest.raises(Thrown, match="incorrect_login"):
            stranger.upload(pictures.tiny(63))
    assert len(lemmy.pictrs.asked) == before


def test_only_the_owner_and_an_admin_delete(clients, user, admin, lemmy):
    url, alias = user.upload(pictures.tiny(64))
    other = Client(clients, lemmy, lemmy.add_person("mallory"))
    if isinstance(lemmy, Lemmy019):
        assert other.delete(alias) is False
    else:
        with pytest.raises(Thrown):
            other.delete(alias)
    shows(url)
    assert admin.delete(alias)
    assert fetch(url).status == 404


def test_a_new_avatar_replaces_the_old_one(user):
    first, _ = user.set_avatar(pictures.tiny(65))
    shows(first, pictures.tiny(65))
    second, _ = user.set_avatar(pictures.tiny(66))
    assert fetch(first).status == 404
    shows(second, pictures.tiny(66))


def test_an_avatar_that_the_gate_has_lost_can_be_replaced(user, lemmy, gate):
    """Lemmy 1.0 takes any answer but 2xx on internal/delete for a failure of the whole change."""
    lost, alias = user.set_avatar(pictures.tiny(67))
    deleted = gate.request("DELETE", f"/image/delete/{lemmy.local_images[alias].delete_token}/{alias}")
    assert deleted.status == 204 and fetch(lost).status == 404
    shows(user.set_avatar(pictures.tiny(68))[0], pictures.tiny(68))


def test_health(clients, lemmy, admin):
    if isinstance(lemmy, Lemmy019):
        assert fetch(f"{lemmy.base}/pictrs/healthz").status == 200
    else:
        assert admin.imageHealth() == {"success": True}


# --- purging ---


def test_purging_a_person_removes_what_they_uploaded(user, admin):
    url, _ = user.upload(pictures.tiny(70))
    other, _ = admin.upload(pictures.tiny(71))
    assert admin.purgePerson(person_id=user.person.id, reason="test")["success"]
    assert fetch(url).status == 404
    shows(other)


def test_purging_a_person_leaves_the_same_picture_of_somebody_else(user, admin):
    data = pictures.tiny(72)
    url, _ = user.upload(data)
    other, _ = admin.upload(data)
    admin.purgePerson(person_id=user.person.id, reason="test")
    assert fetch(url).status == 404
    shows(other, data)


def test_purging_a_post_removes_its_picture_and_its_thumbnail(user, admin):
    url, _ = user.upload(pictures.jpeg(73, 320, 240))
    post = user.post(url=url)
    assert post["thumbnail_url"] != url, "the thumbnail is an alias of its own"
    shows(post["thumbnail_url"])
    assert admin.purgePost(post_id=post["id"], reason="test")["success"]
    assert fetch(url).status == 404 and fetch(post["thumbnail_url"]).status == 404
    assert user.media() == []


def test_the_thumbnail_goes_with_the_upload_it_was_made_from(user):
    url, alias = user.upload(pictures.jpeg(74, 320, 240))
    post = user.post(url=url)
    shows(post["thumbnail_url"])
    assert user.delete(alias)
    assert fetch(post["thumbnail_url"]).status == 404


@pytest.mark.parametrize("lemmy", [Lemmy1], indirect=True, ids=["1.0"])
def test_an_admin_deletes_any_picture_with_all_its_aliases(user, admin, lemmy):
    data = pictures.tiny(75)
    urls = [person.upload(data) for person in (user, admin)]
    assert admin.adminDeleteMedia(filename=urls[0][1])["success"]
    assert [fetch(url).status for url, _ in urls] == [404, 404]


# --- pictures of other sites ---


def test_link_previews_are_stored_and_small(user, lemmy, origin):
    for source in ("/page.html", "/cat.png"):
        post = user.post(url=origin.url(source))
        assert post["url"] == origin.url(source)
        assert post["thumbnail_url"].startswith(lemmy.base + lemmy.picture_path), post
        assert max(shows(post["thumbnail_url"], origin.pages["/cat.png"][1]).size) <= 512


def test_a_federated_post_gets_its_thumbnail_too(lemmy, origin):
    post = lemmy.receive_post(url=origin.url("/dog.jpg"))
    assert post["thumbnail_url"].startswith(lemmy.base)
    shows(post["thumbnail_url"], origin.pages["/dog.jpg"][1])


def test_editing_a_post_keeps_the_old_thumbnail_alive(user, origin):
    post = user.post(url=origin.url("/cat.png"))
    asked = len([path for path in origin.asked if path == "/cat.png"])
    edited = user.editPost(post_id=post["id"], name="another title")["post_view"]["post"]
    shows(post["thumbnail_url"])
    shows(edited["thumbnail_url"])
    by_lemmy = 1  # it looks at the address itself
    assert len([path for path in origin.asked if path == "/cat.png"]) == asked + by_lemmy, "what was fetched is remembered"


def test_a_custom_thumbnail_is_for_links_only(user, lemmy, origin):
    custom = origin.url("/dog.jpg")
    assert user.post(url=origin.url("/page.html"), custom_thumbnail=custom)["thumbnail_url"] == custom
    assert user.post(url=origin.url("/cat.png"), custom_thumbnail=custom)["thumbnail_url"].startswith(lemmy.base)


@pytest.mark.parametrize("source", ["/text.png", "/not-there.png"])
def test_what_cannot_be_stored_stays_a_link(user, origin, source):
    origin.pages["/page.html"] = ("text/html", f'<meta property="og:image" content="{source}">'.encode())
    assert user.post(url=origin.url("/page.html"))["thumbnail_url"] == origin.url(source)


def test_without_proxy_and_previews_everything_stays_where_it_is(user, lemmy, origin):
    lemmy.image_mode = "none"
    before = len(lemmy.pictrs.asked)
    body = f"look ![a cat]({origin.url('/cat.png')})"
    post = user.post(url=origin.url("/cat.png"), body=body)
    assert (post["url"], post["thumbnail_url"], post["body"]) == (origin.url("/cat.png"), origin.url("/cat.png"), body)
    assert len(lemmy.pictrs.asked) == before


@pytest.fixture
def proxying(lemmy):
    lemmy.image_mode = "proxy_all_images"


def test_remote_pictures_are_proxied(proxying, lemmy, origin):
    cat, dog = origin.url("/cat.png"), origin.url("/dog.jpg")
    post = lemmy.receive_post(url=cat, body=f"![a dog]({dog})")
    link = post["body"].removeprefix("![a dog](").removesuffix(")")
    for proxied, source in ((post["url"], "/cat.png"), (post["thumbnail_url"], "/cat.png"), (link, "/dog.jpg")):
        assert proxied.startswith(lemmy.base + lemmy.proxy_path), proxied
        shows(proxied, origin.pages[source][1])
        small = shows(variant(lemmy, proxied, "webp", 64), origin.pages[source][1])
        assert (small.format, max(small.size)) == ("WEBP", 64)
    served = len([path for path in origin.asked if path == "/dog.jpg"])
    assert served == 1, "fetched once, when Lemmy announced it"


def test_a_preview_of_a_remote_page_is_proxied(proxying, user, lemmy, origin):
    post = user.post(url=origin.url("/page.html"))
    assert post["url"] == origin.url("/page.html")
    assert post["thumbnail_url"].startswith(lemmy.base + lemmy.proxy_path)
    shows(post["thumbnail_url"], origin.pages["/cat.png"][1])


def test_addresses_with_a_query_of_their_own_are_not_confused(proxying, user, origin):
    """0.19 writes the address into the query as it is."""
    for number, query in enumerate(("?a=1&b=2", "?a=1&thumbnail=9&c=3")):
        origin.pages["/dog.jpg"] = ("image/jpeg", pictures.tiny(80 + number))
        source = origin.url("/dog.jpg") + query
        post = user.post(body=f"![]({source})")
        shows(post["body"].removeprefix("![](").removesuffix(")"), origin.pages["/dog.jpg"][1])
    assert [path for path in origin.asked if "b=2" in path or "c=3" in path]


def test_nobody_is_proxied_to_what_lemmy_has_not_announced(proxying, lemmy, origin):
    secret = origin.url("/cat.png") + "?unannounced"
    lemmy.remote_images.add(secret)  # as if Lemmy had forgotten to ask first
    link = f"{lemmy.base}{lemmy.proxy_path}?url={urllib.parse.quote(secret, safe='')}"
    assert fetch(link).status == 404
    assert not [path for path in origin.asked if "unannounced" in path]


def test_a_relayed_picture_is_never_an_empty_answer(user):
    """Lemmy turns 304 into broken HTTP."""
    url, _ = user.upload(pictures.tiny(82))
    etag = fetch(url).headers["ETag"]
    for headers in ([("If-None-Match", etag)], [("If-None-Match", "*")], [("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")]):
        answer = fetch(url, headers)
        assert answer.status == 200 and answer.body, headers


# --- refusals ---


def listed(gate, data):
    gate.add_list(f"blocked/{hashlib.sha256(data).hexdigest()[:8]}", "sha256", [hashlib.sha256(data).hexdigest()])
    return data


@contextlib.contextmanager
def closed(gate, message):
    gate.must("lockdown on", "--message", message)
    try:
        yield
    finally:
        gate.must("lockdown off")


def assert_refused(client, data, text, too_large=False):
    """What each client makes of a refusal: `text` reaches the person."""
    if isinstance(client.lemmy, Lemmy019):
        answer = client.uploadImage(image={"base64": base64.b64encode(data).decode()})
        assert answer == ({"msg": "too_large"} if too_large else {"files": None, "msg": text}), answer
        return
    with pytest.raises(Thrown) as thrown:
        client.upload(data)
    assert (thrown.value.name, thrown.value.message) == ("pictrs_invalid_image_upload", text)


def test_a_refused_picture_is_told_in_one_sentence(user, gate):
    refused = listed(gate, pictures.tiny(900 + isinstance(user.lemmy, Lemmy1)))
    assert_refused(user, refused, "This picture cannot be accepted here.")
    assert user.media() == []


def test_what_is_no_picture_is_told_so(user):
    for data in (b"just text", pictures.tiny(91)[:200]):
        if isinstance(user.lemmy, Lemmy019):
            answer = user.uploadImage(image={"base64": base64.b64encode(data).decode()})
            assert answer["files"] is None and answer["msg"].endswith(".") and "url" not in answer, answer
        else:
            with pytest.raises(Thrown, match="pictrs_invalid_image_upload"):
                user.upload(data)


def test_a_file_that_is_too_large_is_told_so(user):
    data = pictures.jpeg(92, 900, 700, quality=97)
    assert len(data) > LIMIT
    assert_refused(user, data, "The file is too large.", too_large=True)


def test_closed_uploads_are_told_in_the_admins_words(user, gate, lemmy):
    url, _ = user.upload(pictures.tiny(93))
    words = "Uploads are closed until Monday: sorry."
    with closed(gate, words):
        assert_refused(user, pictures.tiny(94), words)
        if isinstance(lemmy, Lemmy1):
            with pytest.raises(Thrown) as thrown:
                user.upload(pictures.tiny(94), "uploadUserAvatar")
            assert thrown.value.message == words, "avatars are uploads too"
        shows(url)
    user.upload(pictures.tiny(94))


def test_a_refused_remote_picture_is_neither_stored_nor_proxied(user, lemmy, gate, origin):
    origin.pages["/bad.png"] = ("image/png", listed(gate, pictures.png(950 + isinstance(lemmy, Lemmy1), 64, 48)))
    before = set(gate.blobs())
    user.post(url=origin.url("/bad.png"))
    lemmy.image_mode = "proxy_all_images"
    post = user.post(url=origin.url("/bad.png"))
    shown = fetch(post["url"])
    assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store"), "the placeholder"
    assert pictures.decode(shown.body).size == (480, 360)
    assert set(gate.blobs()) <= before  # the sweeper may have taken some of other tests


def test_screening_that_cannot_be_done_refuses_in_words(new_gate, clients):
    gate = new_gate()
    shutil.copytree(gate.program.parent / "models", gate.folder / "models", ignore=shutil.ignore_patterns("*.onnx"))
    gate.configure("inference", models=str(gate.folder / "models"))
    gate.start()
    for version in (Lemmy019, Lemmy1):
        with contextlib.ExitStack() as stack:
            lemmy = version(f"http://{gate.media[0]}:{gate.media[1]}/")
            stack.callback(lemmy.end)
            assert_refused(Client(clients, lemmy, lemmy.admin), pictures.tiny(97),
                           "Pictures cannot be checked right now, so none are taken. Please try again later.")


def test_a_gate_that_is_down_is_lemmys_own_error(clients, lemmy, user):
    lemmy.pictrs.url = urllib.parse.urlsplit("http://127.0.0.1:1/")
    if isinstance(lemmy, Lemmy019):
        assert user.uploadImage(image={"base64": "aaaa"})["error"] == "unknown"
    else:
        with pytest.raises(Thrown, match="unknown"):
            user.upload(b"aaa")
