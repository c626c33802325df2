"""A whole site for tests: Lemmy's imposter before a running gate, people who upload, and another site whose pictures are linked to."""
import contextlib
import json
import urllib.parse
import urllib.request

import pictures
import wire
from contract import configured
from lemmy_imposter import Lemmy019, Lemmy1
from origin import Origin

API_KEY = "key-between-lemmy-and-the-gate-1"
ELSEWHERE = "127.0.0.2"
# Lemmy's version and how it treats pictures of others.
MODES = {"0.19 StoreLinkPreviews": (Lemmy019, "store_link_previews"), "0.19 ProxyAllImages": (Lemmy019, "proxy_all_images"),
         "1.0 StoreLinkPreviews": (Lemmy1, "store_link_previews"), "1.0 ProxyAllImages": (Lemmy1, "proxy_all_images")}


def site_gate(binaries, room, **sections):
    """A gate that trusts the imposter's host and may fetch from the other site; not started yet."""
    return configured(binaries, room, listen={"api_key": API_KEY}, site={"hosts": ["127.0.0.1"]},
                      egress={"allow": [f"{ELSEWHERE}/32"]}, **sections)


@contextlib.contextmanager
def lemmy_before(gate, mode):
    kind, image_mode = MODES[mode]
    lemmy = kind(f"http://{gate.media[0]}:{gate.media[1]}/", API_KEY, image_mode)
    try:
        yield lemmy
    finally:
        lemmy.end()


@contextlib.contextmanager
def other_site(count):
    """(site, [data]): pictures /0.jpg, /1.jpg … and pages /0.html … that have them as their preview."""
    data = [pictures.jpeg(500 + i, 320, 240) for i in range(count)]
    pages = {}
    for i, one in enumerate(data):
        pages[f"/{i}.jpg"] = ("image/jpeg", one)
        pages[f"/{i}.html"] = ("text/html", b'<html><head><meta property="og:image" content="/%d.jpg"></head></html>' % i)
    with Origin(pages, ELSEWHERE) as site:
        yield site, data


def upload(lemmy, data, name="alice"):
    """A person's upload through Lemmy; its public address."""
    person = next((one for one in lemmy.people.values() if one.name == name), None) or lemmy.add_person(name)
    field = "images[]"
    content_type, body = wire.multipart([data], field=field)
    path = "/pictrs/image" if isinstance(lemmy, Lemmy019) else "/api/v4/image"
    request = urllib.request.Request(lemmy.base + path, body, {"Content-Type": content_type, "Authorization": f"Bearer {person.token}"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        said = json.load(answer)
    return lemmy.base + lemmy.picture_path + (said["files"][0]["file"] if "files" in said else said["filename"])


def get(url):
    parts = urllib.parse.urlsplit(url)
    with wire.Wire((parts.hostname, parts.port)) as connection:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.send(wire.head("GET", target, [("User-Agent", "Mozilla/5.0")], host=parts.netloc))
        return connection.read()


def browse(url):
    """As a browser: (address at which it ended, answer), redirects followed."""
    for _ in range(4):
        answer = get(url)
        if answer.status not in (301, 302, 303, 307, 308):
            return url, answer
        url = urllib.parse.urljoin(url, answer.headers["Location"])
    raise AssertionError(f"{url} leads from one address to the next")


def shows(url, data):
    """Whether a browser sees this picture there, in any size; the address it came from."""
    end, answer = browse(url)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("image/"), (url, end, answer)
    picture = pictures.decode(answer.body).convert("RGB")
    assert pictures.difference(picture, pictures.decode(data).convert("RGB").resize(picture.size)) < 12, (url, end)
    return end


def is_placeholder(url):
    end, answer = browse(url)
    assert end == url and answer.status == 200 and answer.headers["Cache-Control"] == "no-store", (url, end, answer)
    assert pictures.decode(answer.body).size == (480, 360)


def thumbnail(lemmy, post):
    """The address that a page of Lemmy shows for a post, as a small picture."""
    url = post["thumbnail_url"]
    return f"{url}{'&' if '?' in url else '?'}{lemmy.format_key}=webp&{lemmy.size_key}=96" if url.startswith(lemmy.base) else url
