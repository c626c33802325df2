"""Pictures that others host: never stored, blocked, kept, and back again, with each version and mode of Lemmy as it is. Whatever an
admin switches, a post shows a picture."""
import hashlib

import pictures
import pytest
import wire
from contract import is_error, is_taken, quoted
from whole_site import MODES, browse, is_placeholder, lemmy_before, other_site, shows, site_gate, thumbnail, upload

RELAYED = wire.as_lemmy_relays()


@pytest.fixture(scope="module")
def gate(binaries, room):
    gate = site_gate(binaries, room)
    yield gate.start()
    gate.end()


@pytest.fixture(params=list(MODES), scope="module")
def lemmy(request, gate):
    with lemmy_before(gate, request.param) as lemmy:
        yield lemmy


@pytest.fixture(scope="module")
def elsewhere():
    with other_site(12) as site:
        yield site


@pytest.fixture(autouse=True)
def as_it_was(gate):
    yield
    gate.must("switch remote cache")


def remote_aliases(gate):
    return gate.query("SELECT count(*) FROM alias WHERE source = 'remote'")[0][0]


def link(lemmy, site, number):
    """A post of another site that links to a page with a preview; and its own address of the picture."""
    return lemmy.receive_post(url=site.url(f"/{number}.html"))


def test_pass_through_stores_nothing_and_the_post_shows_the_picture_from_its_origin(gate, lemmy, elsewhere):
    site, data = elsewhere
    gate.must("switch remote pass_through")
    stored, blobs = remote_aliases(gate), gate.blobs()
    for post in (link(lemmy, site, 0), lemmy.receive_post(url=site.url("/1.jpg")), lemmy.receive_post(url=site.url("/1.jpg"), body=f"![x]({site.url('/2.jpg')})")):
        end = shows(thumbnail(lemmy, post), data[0] if post["url"].endswith(".html") else data[1])
        assert end.startswith(site.url("/")), "it comes from its origin"
    assert (remote_aliases(gate), gate.blobs()) == (stored, blobs)


def test_a_site_without_a_classifier_stores_nothing_unless_it_is_told_to(new_gate, elsewhere):
    site, _ = elsewhere
    gate = new_gate(profile="lists-only")
    gate.configure("egress", allow=["127.0.0.2/32"])
    gate.start()
    url = quoted(site.url("/0.jpg"))
    is_error(gate.get(f"/image/download?url={url}"), 403, "remote-not-stored")
    assert gate.get(f"/image/original?proxy={url}").headers["Location"] == site.url("/0.jpg")
    assert "default" in gate.must("switch") and gate.query("SELECT count(*) FROM blob") == [(0,)]
    gate.must("switch remote cache")
    is_taken(gate.get(f"/image/download?url={url}"))


def test_own_pictures_are_no_remote_ones(gate, lemmy):
    data = pictures.jpeg(700, 320, 240)
    for state in ("pass_through", "block"):
        gate.must(f"switch remote {state}")
        url = upload(lemmy, data)
        shows(url, data)
        post = lemmy.receive_post(url=url)
        assert post["thumbnail_url"].startswith(lemmy.base)
        shows(thumbnail(lemmy, post), data)


def test_block_shows_the_placeholder_and_fetches_nothing(gate, lemmy, elsewhere):
    site, _ = elsewhere
    gate.must("switch remote block")
    stored, asked = remote_aliases(gate), len(site.asked)
    post = link(lemmy, site, 3)
    assert post["thumbnail_url"].startswith(lemmy.base), "Lemmy keeps no address of the other site"
    is_placeholder(thumbnail(lemmy, post))
    is_placeholder(post["thumbnail_url"])
    assert remote_aliases(gate) == stored
    assert [path for path in site.asked[asked:] if path.endswith(".jpg")] == [], "nobody fetched it"


def test_what_was_blocked_shows_its_picture_in_every_other_state_and_back(gate, lemmy, elsewhere):
    site, data = elsewhere
    gate.must("switch remote block")
    post = link(lemmy, site, 4)
    is_placeholder(post["thumbnail_url"])
    gate.must("switch remote pass_through")
    assert shows(thumbnail(lemmy, post), data[4]).startswith(site.url("/"))
    gate.must("switch remote cache")
    assert shows(post["thumbnail_url"], data[4]) == post["thumbnail_url"], "kept now, and served by us"
    shows(thumbnail(lemmy, post), data[4])
    gate.must("switch remote pass_through")
    shows(post["thumbnail_url"], data[4])


def test_a_stand_in_is_filled_once_and_keeps_its_token(gate, elsewhere):
    site, data = elsewhere
    gate.must("switch remote block")
    file, = is_taken(gate.get(f"/image/download?url={quoted(site.url('/5.jpg'))}"))
    assert file["details"]["width"] == 480 and file["file"].endswith(".png")
    gate.must("switch remote cache")
    asked = len(site.asked)
    first, second = (gate.get(f"/image/original/{file['file']}", RELAYED) for _ in range(2))
    assert first.status == second.status == 200 and first.body == second.body and first.headers["Content-Type"] == "image/jpeg"
    assert len(site.asked) == asked + 1
    assert gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}").status == 204
    assert gate.get(f"/image/original/{file['file']}").status == 404


@pytest.mark.parametrize("token,status", [("{delete_token}", 204), ("00000000-0000-4000-8000-000000000000", 403)], ids=["right", "wrong"])
def test_a_stand_in_is_deleted_like_a_picture(gate, elsewhere, token, status):
    gate.must("switch remote block")
    file, = is_taken(gate.get(f"/image/download?url={quoted(elsewhere[0].url('/6.jpg'))}"))
    assert gate.request("DELETE", f"/image/delete/{token.format(**file)}/{file['file']}").status == status
    assert gate.get(f"/image/original/{file['file']}").status == (404 if status == 204 else 200)


def test_a_refused_picture_is_never_redirected_to_in_any_state(gate, lemmy, elsewhere):
    site, _ = elsewhere
    name = f"bad-{id(lemmy)}.jpg"
    bad = pictures.jpeg(id(lemmy) % 1000 + 2000, 320, 240)
    site.pages[f"/{name}"] = ("image/jpeg", bad)
    site.pages["/bad.html"] = ("text/html", b'<html><head><meta property="og:image" content="/%s"></head></html>' % name.encode())
    gate.add_list("own/refused", "sha256", [hashlib.sha256(bad).hexdigest()])
    post = lemmy.receive_post(url=site.url("/bad.html"))
    for state in ("cache", "pass_through", "block", "cache"):
        gate.must(f"switch remote {state}")
        assert post["thumbnail_url"].startswith(lemmy.base), state
        is_placeholder(post["thumbnail_url"])
        is_placeholder(thumbnail(lemmy, post))
        again = lemmy.receive_post(url=site.url("/bad.html"))
        assert again["thumbnail_url"].startswith(lemmy.base), state
        is_placeholder(again["thumbnail_url"])
    assert site.asked.count(f"/{name}") == 1
    gate.remove_list("own/refused")


def test_what_cannot_be_fetched_is_looked_for_where_it_lies(gate, lemmy, elsewhere):
    site, data = elsewhere
    name = f"later-{id(lemmy)}"
    site.pages[f"/{name}.html"] = ("text/html", b'<html><head><meta property="og:image" content="/%s.jpg"></head></html>' % name.encode())
    gate.must("switch remote block")
    post = lemmy.receive_post(url=site.url(f"/{name}.html"))
    gate.must("switch remote cache")
    if lemmy.image_mode == "store_link_previews":
        end, answer = browse(post["thumbnail_url"])
        assert (end, answer.status) == (site.url(f"/{name}.jpg"), 404), "as if Lemmy had kept its address"
    else:
        assert browse(post["thumbnail_url"])[1].status == 400
    site.pages[f"/{name}.jpg"] = ("image/jpeg", data[7])
    shows(post["thumbnail_url"], data[7])


def test_other_lemmy_sites_make_the_small_picture(gate, elsewhere):
    site, data = elsewhere
    gate.must("switch remote block")
    for path, small in (("/pictrs/image/a.jpeg", "?format=webp&thumbnail=96"), ("/api/v4/image/a.jpeg", "?file_type=webp&max_size=96"), ("/8.jpg", "")):
        site.pages[path] = ("image/jpeg", data[8])
        file, = is_taken(gate.get(f"/image/download?url={quoted(site.url(path))}"))
        gate.must("switch remote pass_through")
        answer = gate.get(f"/image/process.webp?src={file['file']}&thumbnail=96", RELAYED)
        assert (answer.status, answer.headers["Location"], answer.headers["Cache-Control"]) == (307, site.url(path) + small, "no-store")
        assert gate.get(f"/image/original/{file['file']}", RELAYED).headers["Location"] == site.url(path)
        is_error(gate.get(f"/image/details/original/{file['file']}"), 404, "proxy-not-found")
        gate.must("switch remote block")
