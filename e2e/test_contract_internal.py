"""The pict-rs contract: the internal API, row by row."""
import datetime
import hashlib
import json

import contract
import pictures
import pytest
import wire
from contract import API_KEY, UNKNOWN, internal, is_error, is_nothing, is_refusal, is_taken, rows, stored, upload
from gate import REFUSED, wait_until

ROUTES = [("POST", "import"), ("POST", "delete?alias={alias}"), ("POST", "purge?alias={alias}"), ("GET", "aliases?alias={alias}"),
          ("GET", "identifier?alias={alias}"), ("DELETE", "variants"), ("POST", "set_not_found"), ("GET", "hashes"),
          ("POST", "prune_missing"), ("POST", "prune_missing?force=true")]
ABOUT_A_PICTURE = [("POST", "delete"), ("POST", "purge"), ("GET", "aliases"), ("GET", "identifier")]


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room) as gate:
        yield gate


@pytest.fixture(scope="module")
def keyless(binaries, room):
    """No key is configured: the internal API is off."""
    with contract.running(binaries, room, listen={"api_key": ""}) as gate:
        yield gate


@pytest.fixture
def fresh(binaries, room):
    """A gate that nothing is stored in yet."""
    with contract.running(binaries, room) as gate:
        yield gate


def is_ok(answer, status=200):
    assert answer.status == status and answer.json() == {"msg": "ok"}, answer


def listed(answer):
    assert answer.status == 200 and set(answer.json()) == {"msg", "aliases"} and answer.json()["msg"] == "ok", answer
    return answer.json()["aliases"]


def thumbnail(gate, alias, method="GET"):
    return gate.request(method, f"/image/process.webp?src={alias}&thumbnail=48")


# --- the key ---

@pytest.mark.parametrize("method,path", [pytest.param(m, p, id=f"2 {m} internal/{p} without the key -> 401") for m, p in ROUTES])
def test_the_internal_api_needs_the_key(gate, keyless, method, path):
    file = stored(gate, pictures.tiny(1))
    for headers in ([], [("X-Api-Token", "")], [("X-Api-Token", API_KEY[:-1])], [("X-Api-Token", API_KEY + "0")],
                    [("X-Api-Token", API_KEY.upper())], [("Authorization", f"Bearer {API_KEY}")]):
        answer = gate.request(method, f"/internal/{path.format(alias=file['file'])}", headers)
        assert answer.status == 401 and answer.json() == {"msg": "Invalid API Key", "code": "invalid-api-token"}, (headers, answer)
    for headers in ([], [("X-Api-Token", "")], [("X-Api-Token", API_KEY)]):
        answer = keyless.request(method, f"/internal/{path.format(alias=UNKNOWN)}", headers)
        assert answer.status == 401 and answer.json() == {"msg": "Invalid API Key", "code": "invalid-api-token"}, (headers, answer)
    assert gate.fetch(file["file"])


def test_the_name_of_the_key_has_no_case(gate):
    """2 x-api-token as Lemmy writes it"""
    assert gate.get("/internal/hashes", {"x-api-token": API_KEY}).status == 200


@pytest.mark.parametrize("method,path", [pytest.param(m, p, id=f"14 {m} internal/{p} -> 404 empty") for m, p in (
    ("GET", "import"), ("GET", "delete?alias=a"), ("GET", "purge?alias=a"), ("DELETE", "purge?alias=a"), ("POST", "aliases?alias=a"),
    ("POST", "identifier?alias=a"), ("GET", "variants"), ("POST", "variants"), ("GET", "set_not_found"), ("POST", "hashes"),
    ("HEAD", "hashes"), ("GET", "prune_missing"), ("POST", "export"), ("POST", "prepare_upgrade"), ("GET", "nothing"), ("GET", ""))])
def test_a_wrong_method_or_path_is_nothing(gate, method, path):
    is_nothing(internal(gate, method, path))


@pytest.mark.parametrize("method,path", [pytest.param(m, p, id=f"3 {m} internal/{p} names no picture -> 400 invalid-query") for m, p in ABOUT_A_PICTURE])
def test_a_picture_must_be_named(gate, method, path):
    for parameters in ("", "?", "?foo=bar", "?url=http%3A%2F%2F127.0.0.1%2F"):
        is_error(internal(gate, method, path + parameters), 400, "invalid-query")


# --- delete, purge, aliases, identifier ---

def test_delete_takes_one_alias_and_needs_no_token(gate):
    """2 POST internal/delete?alias= -> 200 ok; again, or unknown: 200 ok, because Lemmy 1.0 takes anything else for a failure"""
    first, second = stored(gate, pictures.tiny(2))["file"], stored(gate, pictures.tiny(2))["file"]
    for _ in range(2):
        is_ok(internal(gate, "POST", f"delete?alias={first}"))
        is_nothing(gate.get(f"/image/original/{first}"))
    is_ok(internal(gate, "POST", f"delete?alias={UNKNOWN}"))
    assert gate.fetch(second), "the other name of the same picture stays"


def test_purge_takes_every_alias_and_every_variant(gate):
    """2 POST internal/purge?alias= -> 200 with all aliases of that hash"""
    before = set(gate.blobs())
    aliases = [stored(gate, pictures.tiny(3))["file"] for _ in range(3)]
    other = stored(gate, pictures.tiny(4))["file"]
    assert thumbnail(gate, aliases[0]).status == 200
    gone = listed(internal(gate, "POST", f"purge?alias={aliases[1]}"))
    assert sorted(gone) == sorted(aliases)
    for alias in aliases:
        is_nothing(gate.get(f"/image/original/{alias}"))
        is_error(gate.get(f"/image/details/original/{alias}"), 404, "alias-not-found")
        assert thumbnail(gate, alias).status == thumbnail(gate, alias, "HEAD").status == 404
        is_error(internal(gate, "POST", f"purge?alias={alias}"), 404, "alias-not-found")
    assert gate.fetch(other)
    wait_until("its blobs go", lambda: len(set(gate.blobs()) - before) == 1)
    assert gate.fetch(stored(gate, pictures.tiny(3))["file"]), "it may be uploaded again"


@pytest.mark.parametrize("method,path", [pytest.param(m, p, id=f"2 {m} internal/{p} of an unknown alias -> 404 alias-not-found") for m, p in (
    ("POST", "purge"), ("GET", "aliases"), ("GET", "identifier"))])
def test_an_unknown_alias_is_not_found(gate, method, path):
    for alias in (UNKNOWN, "abcdefghij.png"):
        is_error(internal(gate, method, f"{path}?alias={alias}"), 404, "alias-not-found")


def test_aliases_are_those_of_the_same_picture(gate):
    """2 GET internal/aliases?alias= -> all names"""
    aliases = [stored(gate, pictures.tiny(5))["file"] for _ in range(2)]
    for alias in aliases:
        assert sorted(listed(internal(gate, "GET", f"aliases?alias={alias}"))) == sorted(aliases)
    is_ok(internal(gate, "POST", f"delete?alias={aliases[0]}"))
    assert listed(internal(gate, "GET", f"aliases?alias={aliases[1]}")) == [aliases[1]]


def test_an_identifier_is_where_the_file_lies(gate):
    """2 GET internal/identifier?alias= -> a path below the folder of blobs"""
    alias = stored(gate, pictures.tiny(6))["file"]
    answer = internal(gate, "GET", f"identifier?alias={alias}")
    assert answer.status == 200 and set(answer.json()) == {"msg", "identifier"} and answer.json()["msg"] == "ok"
    assert (gate.data / "blobs" / answer.json()["identifier"]).read_bytes() == gate.fetch(alias)


# --- variants ---

def test_variants_are_dropped_and_made_again(gate):
    """2 DELETE internal/variants -> 204 empty; originals stay"""
    alias = stored(gate, pictures.tiny(7))["file"]
    first = thumbnail(gate, alias)
    assert thumbnail(gate, alias, "HEAD").status == first.status == 200
    is_nothing(internal(gate, "DELETE", "variants"), 204)
    wait_until("the variant is gone", lambda: thumbnail(gate, alias, "HEAD").status == 404)
    assert gate.fetch(alias) and thumbnail(gate, alias).body == first.body


# --- import ---

def bring(gate, files, parameters=""):
    content_type, body = wire.multipart(files)
    return internal(gate, "POST", f"import?{parameters}" if parameters else "import", body, headers=[("Content-Type", content_type)])


@pytest.mark.parametrize("name", ["chosen.jpeg", "AbCdEfGhIj.png", "5a8a7b3e-93d1-4f6c-8f0f-0a2a4d0f6f53.jpeg", "no-extension", "a.b_c-d"],
                         ids=lambda n: f"2 import as {n}")
def test_an_import_has_the_name_of_its_part(gate, name):
    file, = is_taken(bring(gate, [(name, "image/jpeg", pictures.tiny(8))]))
    assert file["file"] == name and file["details"]["content_type"] == "image/jpeg"
    served = gate.get(f"/image/original/{name}")
    assert served.headers["Content-Type"] == "image/jpeg" and pictures.decode(served.body).format == "JPEG"
    is_nothing(gate.request("DELETE", f"/image/delete/{file['delete_token']}/{name}"), 204)


def test_a_name_can_be_taken_once(gate):
    """2 import of a taken alias -> 400 duplicate-alias; what was there stays"""
    is_taken(bring(gate, [("taken.jpeg", "image/jpeg", pictures.tiny(9))]))
    before = gate.fetch("taken.jpeg")
    is_refusal(bring(gate, [("taken.jpeg", "image/jpeg", pictures.tiny(10))]), "duplicate-alias")
    is_refusal(bring(gate, [("taken.jpeg", "image/jpeg", pictures.tiny(9))]), "duplicate-alias")
    is_refusal(bring(gate, [(name, "image/jpeg", pictures.tiny(11)) for name in ("new.jpeg", "taken.jpeg")]), "duplicate-alias")
    is_refusal(bring(gate, [("twice.jpeg", "image/jpeg", pictures.tiny(11))] * 2), "duplicate-alias")
    assert gate.fetch("taken.jpeg") == before
    for name in ("new.jpeg", "twice.jpeg"):
        is_nothing(gate.get(f"/image/original/{name}"))


@pytest.mark.parametrize("name", ["", "..", "../x.jpeg", "a/b.jpeg", "a b.jpeg", "a%2Fb.jpeg", "a\\b.jpeg", "x" * 129], ids=lambda n: f"4 import as {n[:20]!r} -> 400")
def test_a_name_that_is_no_alias_is_refused(gate, name):
    before = set(gate.blobs())
    answer = bring(gate, [(name, "image/jpeg", pictures.tiny(12))])
    assert answer.status == 400 and answer.json()["files"] is None, answer
    assert not set(gate.blobs()) - before


@pytest.mark.parametrize("data,parameters,code,status", rows(
    ("2 import of text -> command-failure", b"no picture", "", "command-failure", 400),
    ("2 import of nothing -> validate-file-empty", b"", "", "validate-file-empty", 400),
    ("2 import?max_width=95 -> validate-width", pictures.tiny(13), "max_width=95", "validate-width", 400),
    ("2 import?max_file_size=0 -> 413", pictures.tiny(13), "max_file_size=0", "validate-file-size", 413),
    ("2 import?foo=bar -> invalid-process-path", pictures.tiny(13), "foo=bar", "invalid-process-path", 400),
    ("2 import?max_width=x -> invalid-query", pictures.tiny(13), "max_width=x", "invalid-query", 400)))
def test_an_import_is_checked_like_an_upload(gate, data, parameters, code, status):
    is_refusal(bring(gate, [("checked.jpeg", "image/jpeg", data)], parameters), code, status)
    is_nothing(gate.get("/image/original/checked.jpeg"))


def test_an_import_is_screened_like_an_upload(gate):
    """3 import of a refused picture -> 400 failed-external-validation"""
    data = pictures.tiny(14)
    gate.add_list("own/refused", "sha256", [hashlib.sha256(data).hexdigest()])
    is_refusal(bring(gate, [("screened.jpeg", "image/jpeg", data)]), REFUSED)
    is_nothing(gate.get("/image/original/screened.jpeg"))
    gate.remove_list("own/refused")


def test_an_import_takes_operations_and_several_files(gate):
    """2 like POST image: import?resize=32 of two files"""
    files = is_taken(bring(gate, [(f"several-{i}.jpeg", "image/jpeg", pictures.tiny(15 + i)) for i in range(2)], "resize=32"))
    assert [f["file"] for f in files] == ["several-0.jpeg", "several-1.jpeg"]
    assert [f["details"]["width"] for f in files] == [32, 32]


# --- the picture for what is not found ---

def choose(gate, body):
    return internal(gate, "POST", "set_not_found", body if isinstance(body, bytes) else json.dumps(body).encode(),
                    headers=[("Content-Type", "application/json")])


def test_a_picture_may_stand_for_what_is_not_found(fresh):
    """2 set_not_found -> 201; then 404 with the picture as body for direct requests, 404 empty for relayed ones"""
    file = stored(fresh, pictures.png(17))
    shown = fresh.fetch(file["file"])
    is_ok(choose(fresh, {"alias": file["file"]}), 201)
    for target in (f"/image/original/{UNKNOWN}", f"/image/original?alias={UNKNOWN}", f"/image/process.webp?src={UNKNOWN}&thumbnail=96"):
        answer = fresh.get(target)
        assert (answer.status, answer.body, answer.headers["Content-Type"]) == (404, shown, "image/png"), target
        head = fresh.request("HEAD", target)
        assert (head.status, head.body) == (404, b"")
    for target in (f"/image/original/{UNKNOWN}", f"/image/process.webp?src={UNKNOWN}&thumbnail=96"):
        is_nothing(fresh.get(target, wire.as_lemmy_relays()))
    is_error(fresh.get(f"/image/details/original/{UNKNOWN}"), 404, "alias-not-found")
    is_nothing(fresh.get("/nothing"))
    fresh.restart()
    assert fresh.get(f"/image/original/{UNKNOWN}").body == shown, "it is remembered"
    is_nothing(fresh.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}"), 204)
    is_nothing(fresh.get(f"/image/original/{UNKNOWN}"))


def test_another_picture_may_be_chosen(fresh):
    """2 set_not_found a second time replaces the first"""
    for data in (pictures.png(18), pictures.webp(19)):
        alias = stored(fresh, data)["file"]
        is_ok(choose(fresh, {"alias": alias}), 201)
        assert fresh.get(f"/image/original/{UNKNOWN}").body == fresh.fetch(alias)


@pytest.mark.parametrize("body,status,code", rows(
    ("2 set_not_found of an unknown alias -> 404", {"alias": UNKNOWN}, 404, "alias-not-found"),
    ("2 set_not_found of a proxy -> 400 proxy-not-allowed", {"proxy": "http://127.0.0.1/a.png"}, 400, "proxy-not-allowed"),
    ("3 set_not_found of {} -> 400 invalid-json", {}, 400, "invalid-json"),
    ("3 set_not_found of nothing -> 400 invalid-json", b"", 400, "invalid-json"),
    ("3 set_not_found of no JSON -> 400 invalid-json", b"{", 400, "invalid-json"),
    ("3 set_not_found of a list -> 400 invalid-json", [], 400, "invalid-json"),
    ("3 set_not_found of a number -> 400 invalid-json", {"alias": 5}, 400, "invalid-json"),
    ("3 set_not_found of null -> 400 invalid-json", {"alias": None}, 400, "invalid-json"),
    ("3 set_not_found of deep JSON -> 400 invalid-json", b"[" * 4000, 400, "invalid-json"),
))
def test_what_cannot_stand_for_it(gate, body, status, code):
    is_error(choose(gate, body), status, code)
    is_nothing(gate.get(f"/image/original/{UNKNOWN}"))


# --- hashes ---

def hashes(gate, parameters=""):
    answer = internal(gate, "GET", f"hashes?{parameters}" if parameters else "hashes")
    assert answer.status == 200 and set(answer.json()) == {"msg", "page"} and answer.json()["msg"] == "ok", answer
    page = answer.json()["page"]
    assert {"limit", "hashes"} <= set(page) <= {"limit", "hashes", "current", "prev", "next"}, page
    assert all(page[slug] for slug in ("current", "prev", "next") if slug in page), "left out rather than null or empty"
    for entry in page["hashes"]:
        assert set(entry) == {"hex", "aliases", "details"}
    return page


def names(page):
    return [entry["aliases"][0] for entry in page["hashes"]]


def test_nothing_stored_is_an_empty_page(fresh):
    """2 hashes of an empty store -> no current, prev or next"""
    assert hashes(fresh) == {"limit": 20, "hashes": []}


FORMATS = [
    ("jpeg", pictures.jpeg(20), "05"), ("png", pictures.png(21), "07"), ("webp", pictures.webp(22), "08"),
    ("webp that moves", pictures.animation(23, kind="WEBP"), "03"), ("gif that moves", pictures.animation(24), "02"),
    ("gif that stands still", pictures.encode(pictures.photo(25, 64, 48), "GIF"), "02"),
    ("avif", pictures.encode(pictures.photo(26, 64, 48), "AVIF"), "04"),
]


@pytest.mark.parametrize("data,number", [pytest.param(*f[1:], id=f"2 hex of a {f[0]} ends in {f[2]}") for f in FORMATS])
def test_the_hex_is_digest_size_and_format(gate, data, number):
    file = stored(gate, data)
    body = gate.fetch(file["file"])
    entry = hashes(gate, "limit=1")["hashes"][0]
    assert entry["hex"] == hashlib.sha256(body).hexdigest() + len(body).to_bytes(6, "big").hex() + number
    assert entry["aliases"] == [file["file"]]
    created = [datetime.datetime.fromisoformat(details.pop("created_at")) for details in (entry["details"], file["details"])]
    assert entry["details"] == file["details"] and abs(created[0] - created[1]) < datetime.timedelta(seconds=1)


def test_pages_go_from_new_to_old(fresh):
    """2 hashes: limit, next, prev, slug; every picture once, variants never"""
    aliases = [stored(fresh, pictures.tiny(30 + i))["file"] for i in range(5)][::-1]
    again = stored(fresh, pictures.tiny(32))["file"]  # a second name is no second entry
    assert thumbnail(fresh, aliases[0]).status == 200
    whole = hashes(fresh)
    assert whole["limit"] == 20 and names(whole) == aliases and "next" not in whole and "prev" not in whole
    assert sorted(whole["hashes"][2]["aliases"]) == sorted([aliases[2], again])
    assert hashes(fresh, "limit=5")["hashes"] == whole["hashes"] and "next" not in hashes(fresh, "limit=5")

    first = hashes(fresh, "limit=2")
    assert (first["limit"], names(first)) == (2, aliases[:2]) and "prev" not in first
    second = hashes(fresh, f"limit=2&slug={first['next']}")
    assert names(second) == aliases[2:4]
    last = hashes(fresh, f"limit=2&slug={second['next']}")
    assert names(last) == aliases[4:] and "next" not in last
    assert names(hashes(fresh, f"limit=2&slug={last['prev']}")) == aliases[2:4]
    assert names(hashes(fresh, f"limit=2&slug={second['prev']}")) == aliases[:2]
    assert names(hashes(fresh, f"limit=2&slug={second['current']}")) == aliases[2:4]

    is_ok(internal(fresh, "POST", f"delete?alias={aliases[0]}"))
    listed(internal(fresh, "POST", f"purge?alias={aliases[2]}"))
    assert names(hashes(fresh)) == [aliases[1], aliases[3], aliases[4]]


def test_pages_may_begin_at_a_time(fresh):
    """2 hashes?timestamp= -> what is older than that"""
    files = [stored(fresh, pictures.tiny(40 + i)) for i in range(3)]
    times = [datetime.datetime.fromisoformat(f["details"]["created_at"]) for f in files]
    later = times[2] + datetime.timedelta(hours=1)
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    for moment, count in ((later, 3), (times[2], 2), (times[1], 1), (times[0], 0)):
        wanted = [f["file"] for f in files[:count]][::-1]
        for written in (moment.isoformat(), moment.isoformat().replace("+00:00", "Z"), moment.astimezone(east).isoformat()):
            assert names(hashes(fresh, contract.query(timestamp=written))) == wanted, written
    assert names(hashes(fresh, contract.query(timestamp=times[2].isoformat(), limit=1))) == [files[1]["file"]]


@pytest.mark.parametrize("slug", ["!!!", "", "AAAA", "A" * 52, "%00", "a" * 500], ids=lambda s: f"14 hashes?slug={s[:20]} -> the first page")
def test_a_slug_without_a_meaning_is_ignored(gate, slug):
    stored(gate, pictures.tiny(50)), stored(gate, pictures.tiny(51))
    assert hashes(gate, f"limit=2&slug={slug}")["hashes"] == hashes(gate, "limit=2")["hashes"]


@pytest.mark.parametrize("parameters", ["limit=abc", "limit=-1", "limit=1.5", "limit=", "timestamp=yesterday", "timestamp=", "timestamp=2026-13-01T00:00:00Z",
                                        "timestamp=2026-01-01", "timestamp=1700000000"], ids=lambda p: f"3 hashes?{p} -> 400 invalid-query")
def test_a_page_that_cannot_be_given(gate, parameters):
    is_error(internal(gate, "GET", f"hashes?{parameters}"), 400, "invalid-query")


def test_a_page_may_be_as_long_as_everything(gate):
    """2 hashes?limit= has no most: all of it, or a page and what comes next"""
    page = hashes(gate, "limit=4294967295")
    assert "next" in page or len(page["hashes"]) >= 2


# --- pictures whose file is lost ---

def prune(gate, parameters=""):
    answer = internal(gate, "POST", f"prune_missing{parameters}")
    assert answer.status == 200 and set(answer.json()) == {"complete", "progress", "total"}, answer
    assert isinstance(answer.json()["complete"], bool)
    return answer.json()


def test_what_lost_its_file_is_forgotten(fresh):
    """2 prune_missing -> complete, progress, total; force=true begins anew"""
    lost, kept, later = (stored(fresh, pictures.tiny(60 + i))["file"] for i in range(3))
    place = {alias: fresh.data / "blobs" / internal(fresh, "GET", f"identifier?alias={alias}").json()["identifier"] for alias in (lost, later)}
    fresh.stop()
    place[lost].unlink()
    fresh.start()
    done = wait_until("it is complete", lambda: (told := prune(fresh))["complete"] and told)
    assert done["progress"] == done["total"] == 3
    is_nothing(fresh.get(f"/image/original/{lost}"))
    is_error(internal(fresh, "GET", f"aliases?alias={lost}"), 404, "alias-not-found")
    assert fresh.fetch(kept) and fresh.fetch(later) and sorted(names(hashes(fresh))) == sorted([kept, later])

    fresh.stop()
    place[later].unlink()
    fresh.start()
    prune(fresh, "?force=true")
    wait_until("it is forgotten too", lambda: internal(fresh, "GET", f"aliases?alias={later}").status == 404)
    assert fresh.fetch(kept)
