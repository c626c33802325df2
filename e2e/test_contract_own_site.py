"""The pict-rs contract: addresses of the site's own pictures, which are never fetched, row by row."""
import contract
import pictures
import pytest
from contract import internal, is_error, is_nothing, is_taken, quoted, stored
from origin import Origin
from other_site import gate, origin  # noqa: F401  (fixtures)
from other_site import CAT, FAILED, RELAYED, PAGES, download, fetches, is_picture, page, proxied


def fetched(gate):
    return gate.metrics()["portcullis_fetched_total"]


SPELLINGS = ["https://lemmy.example/pictrs/image/{alias}", "http://lemmy.example/pictrs/image/{alias}", "https://LEMMY.example/pictrs/image/{alias}",
             "https://lemmy.example:443/pictrs/image/{alias}", "https://lemmy.example./pictrs/image/{alias}",
             "https://lemmy.example/pictrs/image/{alias}?format=webp&thumbnail=256", "https://lemmy.example/pictrs/image/{alias}#part",
             "https://lemmy.example/api/v4/image/{alias}", "https://lemmy.example/api/v4/image/{alias}?file_type=webp&max_size=96",
             "https://lemmy.example/api/v3/image_proxy?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F{alias}"]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: f"5 {s} is resolved inside")
def test_an_own_address_is_resolved_inside(gate, spelling):
    alias, before = stored(gate, CAT)["file"], fetched(gate)
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
    assert fetched(gate) == before, "no server was asked"


@pytest.mark.parametrize("url", [
    "https://lemmy.example/pictrs/image/00000000-0000-4000-8000-000000000000.jpeg", "https://lemmy.example/pictrs/image/", "https://lemmy.example/",
    "https://lemmy.example/other.png", "https://lemmy.example/pictrs/image/..%2f..%2fsecret", "https://lemmy.example/internal/hashes",
    "https://lemmy.example/api/v3/image_proxy", "https://lemmy.example/api/v3/image_proxy?url=javascript%3Aalert(1)",
    "https://lemmy.example/pictrs/image/delete/x/y", "https://lemmy.example/pictrs/image/original/x"], ids=lambda u: f"5 {u} -> 400 or 404, nothing is fetched")
def test_an_own_address_without_a_picture(gate, url):
    before = fetched(gate)
    is_nothing(proxied(gate, url, headers=RELAYED))
    for answer in (download(gate, url), proxied(gate, url)):
        assert answer.status in (400, 404), answer
    assert fetched(gate) == before


@pytest.mark.parametrize("url", ["https://lemmy.example.invalid/pictrs/image/{alias}", "https://notlemmy.example/pictrs/image/{alias}",
                                 "https://sub.lemmy.example/pictrs/image/{alias}", "https://invalid/lemmy.example/pictrs/image/{alias}"],
                         ids=lambda u: f"5 {u} is somebody else's")
def test_only_the_sites_own_names_are_its_own(gate, url):
    alias = stored(gate, CAT)["file"]
    is_error(download(gate, url.format(alias=alias)), 400, FAILED)


def test_an_own_proxy_address_is_the_remote_picture(gate, origin):
    """5 https://lemmy.example/api/v3/image_proxy?url=enc(U) is U, fetched once"""
    url = page(origin, "inner.jpg", pictures.jpeg(80))
    for path in ("api/v3/image_proxy", "api/v4/image/proxy"):
        is_picture(proxied(gate, f"https://lemmy.example/{path}?url={quoted(url)}"), pictures.jpeg(80))
    is_picture(proxied(gate, url), pictures.jpeg(80))
    assert fetches(origin, "/inner.jpg") == 1


@pytest.mark.parametrize("how", ["its token", "internal/delete", "internal/purge"], ids=lambda h: f"5 by {h}")
def test_a_derived_alias_goes_with_its_parent(gate, how):
    """5 the thumbnail of an upload goes with the upload"""
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
    """5 the same picture uploaded and federated: removing the one leaves the other"""
    upload = stored(gate, CAT)
    federated, = is_taken(download(gate, origin.url("/a.jpg")))
    is_nothing(gate.request("DELETE", f"/image/delete/{federated['delete_token']}/{federated['file']}"), 204)
    assert gate.fetch(upload["file"])
    federated, = is_taken(download(gate, origin.url("/a.jpg")))
    is_nothing(gate.request("DELETE", f"/image/delete/{upload['delete_token']}/{upload['file']}"), 204)
    assert gate.fetch(federated["file"])
