"""The pict-rs contract: ?proxy=, copies of other sites' pictures, row by row."""
import concurrent.futures

import contract
import pictures
import pytest
import wire
from contract import internal, is_error, is_nothing, quoted
from origin import Origin
from other_site import gate, origin  # noqa: F401  (fixtures)
from other_site import CAT, DOG, PIG, FAILED, RELAYED, PAGES, as_it_is, fetches, is_picture, page, proxied


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
    """5 U with & in it, in both spellings; pict-rs serves a wrong picture there"""
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
    """5 what stands raw is not decoded once more"""
    origin.pages |= {"/a%20b.jpg": ("image/jpeg", CAT), "/a%2520b.jpg": ("image/png", DOG)}
    is_picture(proxied(gate, origin.url("/a%20b.jpg")), CAT)
    is_picture(proxied(gate, origin.url("/a%20b.jpg"), headers=RELAYED, encode=as_it_is), CAT)
    is_picture(proxied(gate, origin.url("/a%2520b.jpg")), DOG)
    is_picture(proxied(gate, origin.url("/a%2520b.jpg"), headers=RELAYED, encode=as_it_is), DOG)
    assert [fetches(origin, path) for path in ("/a%20b.jpg", "/a%2520b.jpg")] == [1, 1]


def test_a_fragment_makes_no_other_picture(gate, origin):
    """5 U and U#part are one"""
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
