"""In front of a pict-rs: what reaches it, what comes back, and what happens when it is gone.

It is an imposter; with PICTRS=/path/to/pict-rs in the environment the same tests run against a real one, too."""
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import tempfile

import contract
import pictures
import pytest
import wire
from contract import internal, is_error, is_nothing, is_refusal, is_taken, quoted, upload
from gate import REFUSED, Gate
from origin import Origin
from pict_rs import PictRs
from pict_rs_imposter import PictRsImposter
from recorder import Recorder

PICT_RS_KEY = "the-key-of-pict-rs"
RELAYED = wire.as_lemmy_relays()
GOOD, BAD = pictures.jpeg(1), pictures.jpeg(666)


def marked(seed):
    """A JPEG with something in its metadata and something behind its end."""
    data = pictures.jpeg(seed)
    comment = pictures.MARKER
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:] + pictures.MARKER


def heart(data):
    """Bytes of a picture that are in no other one."""
    return data[len(data) // 2:len(data) // 2 + 100]


class Site:
    """A gate, what it talks through, and the pict-rs behind."""

    def __init__(self, gate, recorder, pict_rs):
        self.gate, self.recorder, self.pict_rs = gate, recorder, pict_rs

    def has_nothing_unscreened(self):
        """Invariant 1, for what came through the gate: no byte but renditions, and nothing that makes pict-rs fetch."""
        assert pictures.MARKER not in self.recorder.bytes()
        assert heart(BAD) not in self.recorder.bytes()
        for method, target in self.recorder.requests():
            assert "proxy" not in target and "download" not in target and "url=" not in target, (method, target)
            assert (method, target) in (("POST", "/image"), ("POST", "/internal/import")) or method != "POST" or "alias=" in target \
                or target.startswith(("/internal/set_not_found", "/internal/prune_missing")), (method, target)
        for folder, _, names in os.walk(self.pict_rs.folder / "files"):  # where a file may go at any time
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    assert pictures.MARKER not in pathlib.Path(folder, name).read_bytes()
        assert not self.gate.blobs()


KINDS = ["imposter"] + (["real"] if os.environ.get("PICTRS") else [])


@pytest.fixture(scope="module", params=KINDS)
def pict_rs(request, room):
    folder = tempfile.mkdtemp(dir=room)
    one = PictRs(os.environ["PICTRS"], folder, PICT_RS_KEY) if request.param == "real" else PictRsImposter(folder, PICT_RS_KEY)
    yield one.start()
    one.end()


@pytest.fixture(scope="module")
def origin(pict_rs):
    """One for each kind of pict-rs, so that what it was asked counts anew."""
    pages = {"/cat.jpg": ("image/jpeg", marked(2)), "/dog.jpg": ("image/jpeg", marked(3)), "/bad.jpg": ("image/jpeg", BAD),
             "/text": ("text/plain", b"no picture"), "/thumb.jpg": ("image/jpeg", marked(4)),
             "/switched.jpg": ("image/jpeg", marked(5))}
    with Origin(pages) as site:
        yield site


@pytest.fixture(scope="module")
def site(binaries, room, pict_rs):
    recorder = Recorder(tuple(pict_rs.media))
    key = room / "pict-rs.key"
    key.write_text(PICT_RS_KEY + "\n")
    key.chmod(0o600)
    gate = Gate(binaries, tempfile.mkdtemp(dir=room), profile="lists-only")
    gate.configure("listen", api_key=contract.API_KEY)
    gate.configure("egress", allow=["127.0.0.1/32"])
    gate.configure("site", hosts=["lemmy.example"])
    gate.configure("media", max_file_count=3)
    gate.configure("pict_rs", url=recorder.url, api_key=f"file:{key}")
    one = Site(gate, recorder, pict_rs)
    try:
        gate.start()
        gate.must("switch", "remote", "cache")
        gate.add_list("csam/test", "sha256", [hashlib.sha256(BAD).hexdigest()])
        yield one
        one.has_nothing_unscreened()
    finally:
        gate.end()
        recorder.end()


def test_Invariant1_an_upload_is_screened_here_and_its_rendition_is_handed_on(site):
    file, = is_taken(upload(site.gate, marked(10), headers=RELAYED))
    assert heart(pictures.jpeg(10)) in site.recorder.bytes()  # so that what is below can fail
    served = site.gate.get(f"/image/original/{file['file']}", RELAYED)
    assert served.status == 200 and pictures.MARKER not in served.body
    assert pictures.difference(pictures.decode(served.body), pictures.decode(pictures.jpeg(10))) < 4
    assert served.headers["Cache-Control"] == "public, max-age=86400"
    assert (file["details"]["width"], file["details"]["content_type"]) == (640, "image/jpeg")
    site.has_nothing_unscreened()


def test_Invariant1_what_is_refused_never_reaches_it(site):
    before = len(site.recorder.requests())
    is_refusal(upload(site.gate, BAD, headers=RELAYED), REFUSED)
    is_refusal(upload(site.gate, b"no picture"), "command-failure")
    assert site.recorder.requests()[before:] == []
    site.has_nothing_unscreened()


def test_operations_of_an_upload_are_done_here(site):
    file, = is_taken(upload(site.gate, marked(11), "resize=100"))
    assert max(file["details"]["width"], file["details"]["height"]) == 100
    assert site.recorder.requests()[-1] == ("POST", "/image")


def test_several_files_stand_or_fall_together(site):
    assert len(is_taken(upload(site.gate, [pictures.jpeg(12), pictures.jpeg(13)]))) == 2
    before = len(site.recorder.requests())
    is_refusal(upload(site.gate, [pictures.jpeg(14), BAD]), REFUSED)
    methods = [method for method, _ in site.recorder.requests()[before:]]
    assert methods == ["POST", "DELETE"]


def test_an_upload_that_is_claimed_later(site):
    answer = upload(site.gate, marked(15), path="/image/backgrounded")
    assert answer.status == 202
    claim, = [u["upload_id"] for u in answer.json()["uploads"]]
    file, = is_taken(site.gate.get(f"/image/backgrounded/claim?upload_id={claim}"), 200)
    assert site.gate.get(f"/image/original/{file['file']}").status == 200
    is_error(site.gate.get(f"/image/backgrounded/claim?upload_id={claim}"), 400, "already-claimed")


def test_an_import_keeps_its_name(site):
    name = "11111111-2222-4333-8444-555555555555.jpeg"
    files = [(name, "image/jpeg", marked(16))]
    is_error(upload(site.gate, files, path="/internal/import"), 401, "invalid-api-token")
    key = [("X-Api-Token", contract.API_KEY)]
    file, = is_taken(upload(site.gate, files, path="/internal/import", headers=key))
    assert file["file"] == name
    is_refusal(upload(site.gate, [(name, "image/jpeg", pictures.jpeg(17))], path="/internal/import", headers=key), "duplicate-alias")


def test_Invariant2_a_remote_picture_is_fetched_and_screened_here(site, origin):
    url = origin.url("/cat.jpg")
    target = f"/image/original?proxy={quoted(url)}"
    is_nothing(site.gate.get(f"/image/original?proxy={url}", RELAYED))  # nobody announced it
    assert site.gate.get(target, wire.as_lemmy_asks()).status == 200
    for one in (target, f"/image/original?proxy={url}"):
        answer = site.gate.get(one, RELAYED)
        assert answer.status == 200 and pictures.MARKER not in answer.body
    small = site.gate.get(f"/image/process.webp?proxy={quoted(url)}&thumbnail=64", RELAYED)
    assert small.status == 200 and pictures.decode(small.body).size == (64, 48)
    assert site.gate.get(f"/image/details/original?proxy={quoted(url)}").json()["width"] == 640
    assert origin.asked.count("/cat.jpg") == 1
    is_error(site.gate.get(f"/image/details/original?proxy={quoted(origin.url('/never.jpg'))}"), 404, "proxy-not-found")
    site.has_nothing_unscreened()


def test_a_remote_picture_asked_for_by_many_at_once_is_fetched_once(site, origin):
    target = f"/image/original?proxy={quoted(origin.url('/dog.jpg'))}"
    with concurrent.futures.ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: site.gate.get(target), range(8)))
    assert [a.status for a in answers] == [200] * 8 and len({a.body for a in answers}) == 1
    assert origin.asked.count("/dog.jpg") == 1


def test_a_link_thumbnail_is_fetched_here(site, origin):
    file, = is_taken(site.gate.get(f"/image/download?url={quoted(origin.url('/thumb.jpg'))}&resize=256"))
    assert max(file["details"]["width"], file["details"]["height"]) == 256
    assert site.gate.get(f"/image/download?url={quoted(origin.url('/text'))}").status == 400
    assert site.gate.get(f"/image/download?url={quoted(origin.url('/gone'))}").status == 400
    site.has_nothing_unscreened()


def test_a_refused_remote_picture_never_reaches_it(site, origin):
    before = len(site.recorder.requests())
    for _ in range(2):
        shown = site.gate.get(f"/image/original?proxy={quoted(origin.url('/bad.jpg'))}")
        assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store") and heart(BAD) not in shown.body  # the placeholder
        stand_in, = is_taken(site.gate.get(f"/image/download?url={quoted(origin.url('/bad.jpg'))}"))
        assert site.gate.get(f"/image/original/{stand_in['file']}", RELAYED).body == shown.body
    assert origin.asked.count("/bad.jpg") == 1
    assert site.recorder.requests()[before:] == []


def test_a_picture_of_this_site_is_never_fetched_from_outside(site):
    file, = is_taken(upload(site.gate, marked(20)))
    own = f"https://lemmy.example/pictrs/image/{file['file']}"
    assert site.gate.get(f"/image/original?proxy={quoted(own)}").status == 200
    copy, = is_taken(site.gate.get(f"/image/download?url={quoted(own)}&resize=64"))
    assert copy["file"] != file["file"] and copy["details"]["width"] == 64
    assert site.gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}").status == 204
    is_nothing(site.gate.get(f"/image/original/{copy['file']}", RELAYED))  # it goes with its parent
    site.has_nothing_unscreened()


def test_reads_stream_through(site):
    file, = is_taken(upload(site.gate, pictures.large(21)))
    target = f"/image/original/{file['file']}"
    whole = site.gate.get(target)
    assert whole.status == 200 and len(whole.body) > 300_000
    part = site.gate.get(target, [("Range", "bytes=1000-1999")])
    assert (part.status, part.body) == (206, whole.body[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole.body)}"
    assert site.gate.get(target, [*RELAYED, ("Range", "bytes=5-9")]).body == whole.body[5:10]
    assert site.gate.get(target, [("Range", "bytes=99999999-")]).status == 416
    head = site.gate.request("HEAD", target)
    assert head.status == 200 and head.body == b""
    for conditional in (("If-None-Match", "*"), ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")):
        assert site.gate.get(target, [*RELAYED, conditional]).status == 200
    assert site.gate.get(f"/image/process.webp?src={file['file']}&thumbnail=96", RELAYED).status == 200
    assert site.gate.get(f"/image/details/original/{file['file']}").json()["content_type"] == "image/jpeg"
    assert set(site.gate.get(f"/image/blurhash?alias={file['file']}").json()) == {"msg", "blurhash"}


def test_relayed_requests_reach_only_their_shapes(site):
    file, = is_taken(upload(site.gate, pictures.jpeg(22)))
    before = len(site.recorder.requests())
    for target in (f"/image/details/original/{file['file']}", f"/image/delete/{file['delete_token']}/{file['file']}",
                   f"/internal/purge?alias={file['file']}", "/image/download?url=http%3A%2F%2Fo.example%2Fa",
                   f"/image/process.webp?src={file['file']}&thumbnail=9&proxy=http%3A%2F%2Fo.example%2Fa",
                   f"/image/original/..%2F..%2Finternal%2Fpurge%3Falias={file['file']}"):
        is_nothing(site.gate.get(target, [*RELAYED, ("X-Api-Token", contract.API_KEY)]))
    assert site.recorder.requests()[before:] == []
    is_nothing(site.gate.get(f"/image/original/{contract.UNKNOWN}", RELAYED))


@pytest.mark.parametrize("hidden", ["%70roxy=", "pro%78y=", "url=", "thumbnail=9%26proxy="])
def test_no_query_makes_it_fetch(site, origin, hidden):
    file, = is_taken(upload(site.gate, pictures.jpeg(23)))
    asked = len(origin.asked)
    site.gate.get(f"/image/process.webp?src={file['file']}&{hidden}{quoted(origin.url('/cat.jpg?x'))}")
    assert len(origin.asked) == asked
    site.has_nothing_unscreened()


def test_deleting_and_purging(site):
    file, = is_taken(upload(site.gate, pictures.jpeg(24)))
    is_error(site.gate.request("DELETE", f"/image/delete/{contract.UNKNOWN}/{file['file']}"), 403, "invalid-delete-token")
    assert site.gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}").status == 204
    is_nothing(site.gate.get(f"/image/original/{file['file']}", RELAYED))
    file, = is_taken(upload(site.gate, pictures.jpeg(25)))
    is_error(internal(site.gate, "POST", f"purge?alias={file['file']}", key="wrong"), 401, "invalid-api-token")
    purged = internal(site.gate, "POST", f"purge?alias={file['file']}")
    assert (purged.status, purged.json()) == (200, {"msg": "ok", "aliases": [file["file"]]})
    assert internal(site.gate, "POST", f"delete?alias={contract.UNKNOWN}").json() == {"msg": "ok"}
    file, = is_taken(upload(site.gate, pictures.jpeg(26)))
    assert internal(site.gate, "GET", f"aliases?alias={file['file']}").json()["aliases"] == [file["file"]]
    assert internal(site.gate, "GET", "hashes?limit=1").json()["page"]["limit"] == 1
    assert PICT_RS_KEY not in site.gate.log_file.read_text() and file["delete_token"] not in site.gate.log_file.read_text()


def test_a_copy_is_known_by_its_url_to_the_internal_api(site, origin):
    url = quoted(origin.url("/cat.jpg"))
    assert site.gate.get(f"/image/original?proxy={url}").status == 200
    before = origin.asked.count("/cat.jpg")
    assert internal(site.gate, "POST", f"purge?proxy={url}").status == 200
    assert site.gate.get(f"/image/original?proxy={url}", RELAYED).status == 200  # from its origin, screened
    assert origin.asked.count("/cat.jpg") == before + 1
    site.has_nothing_unscreened()


def test_Invariant10_a_lockdown_holds(site):
    before = len(site.recorder.requests())
    site.gate.must("lockdown on", "uploads")
    try:
        is_refusal(upload(site.gate, pictures.jpeg(27), headers=RELAYED), "uploads-closed")
        assert ("POST", "/image") not in site.recorder.requests()[before:]
    finally:
        site.gate.must("lockdown off")
    is_taken(upload(site.gate, pictures.jpeg(27), headers=RELAYED))


def test_switches_of_remote_pictures_hold(site, origin):
    url, before = quoted(origin.url("/switched.jpg")), len(site.recorder.requests())
    site.gate.must("switch", "remote", "block")
    try:
        stand_in, = is_taken(site.gate.get(f"/image/download?url={url}"))
        blocked = site.gate.get(f"/image/original/{stand_in['file']}", RELAYED)
        assert (blocked.status, blocked.headers["Cache-Control"]) == (200, "no-store")
        site.gate.must("switch", "remote", "pass_through")
        passed = site.gate.get(f"/image/original/{stand_in['file']}", RELAYED)
        assert (passed.status, passed.headers["Location"]) == (307, origin.url("/switched.jpg"))
        assert site.recorder.requests()[before:] == [] and "/switched.jpg" not in origin.asked
    finally:
        site.gate.must("switch", "remote", "cache")
    shown = site.gate.get(f"/image/original/{stand_in['file']}", RELAYED)
    assert shown.status == 200 and pictures.MARKER not in shown.body and shown.body != blocked.body
    assert origin.asked.count("/switched.jpg") == 1
    site.has_nothing_unscreened()


def test_while_it_is_gone_everything_says_so_and_goes_on_afterwards(site, origin):
    file, = is_taken(upload(site.gate, pictures.jpeg(28)))
    failures = site.gate.metrics()["portcullis_pict_rs_failures_total"]
    site.recorder.cut()
    try:
        refused = upload(site.gate, pictures.jpeg(29), headers=RELAYED)
        assert refused.status in (502, 503) and refused.json()["files"] is None and refused.code.startswith("upstream-"), refused
        for target in (f"/image/original/{file['file']}", f"/image/process.webp?src={file['file']}&thumbnail=9"):
            gone = site.gate.get(target, RELAYED)
            assert gone.status in (502, 503) and gone.code.startswith("upstream-"), gone
        download = site.gate.get(f"/image/download?url={quoted(origin.url('/thumb.jpg'))}")
        assert download.status in (502, 503) and download.code.startswith("upstream-"), download
        assert internal(site.gate, "POST", f"purge?alias={file['file']}").status in (502, 503)
        assert site.gate.get("/healthz").status == 503
        assert site.gate.metrics()["portcullis_pict_rs_failures_total"] > failures
    finally:
        site.recorder.mend()
    assert site.gate.get("/healthz").status == 200
    assert site.gate.get(f"/image/original/{file['file']}", RELAYED).status == 200
    is_taken(upload(site.gate, pictures.jpeg(29), headers=RELAYED))


def test_what_it_answers_in_trouble_is_no_picture(site):
    if not hasattr(site.pict_rs, "failing"):
        pytest.skip("only the imposter fails when it is told to")
    site.pict_rs.failing["/image"] = 500
    try:
        refused = upload(site.gate, pictures.jpeg(30))
        assert (refused.status, refused.code) == (502, "upstream-refused")
        read = site.gate.get(f"/image/original/{contract.UNKNOWN}", RELAYED)
        assert (read.status, read.code) == (502, "upstream-refused")
    finally:
        del site.pict_rs.failing["/image"]


def test_a_config_that_cannot_work_is_said(new_gate):
    for values, what in (({"url": "127.0.0.1:1"}, "http://"), ({"url": "http://p:1", "api_key": "s3cret"}, "env:NAME"),
                         ({"url": "http://127.0.0.1:1", "api_key": "env:NO_SUCH_VARIABLE_HERE"}, "NO_SUCH_VARIABLE_HERE")):
        gate = new_gate()
        gate.configure("pict_rs", **values)
        done = gate.cli("serve")
        assert done.returncode != 0 and what in done.stderr and "s3cret" not in done.stderr, done.stderr
