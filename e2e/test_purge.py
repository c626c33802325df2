"""Purging: every picture of other sites goes and no post breaks; and pictures by what they have in common."""
import contextlib
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess

import pictures
import pytest
import wire
from contract import is_taken, quoted, stored
from gate import wait_until
from whole_site import lemmy_before, other_site, shows, site_gate, thumbnail, upload

RELAYED = wire.as_lemmy_relays()


@pytest.fixture
def gate(binaries, room):
    gate = site_gate(binaries, room)
    yield gate.start()
    gate.end()


@pytest.fixture(scope="module")
def elsewhere():
    with other_site(12) as site:
        yield site


def download(gate, site, path):
    file, = is_taken(gate.get(f"/image/download?url={quoted(site.url(path))}"))
    return file


def purge(gate, *words):
    return json.loads(gate.must("purge federated --json", *words).splitlines()[-1])


@pytest.mark.parametrize("mode", ["0.19 StoreLinkPreviews", "0.19 ProxyAllImages", "1.0 StoreLinkPreviews", "1.0 ProxyAllImages"])
def test_every_post_still_shows_a_picture(gate, elsewhere, mode):
    site, data = elsewhere
    with lemmy_before(gate, mode) as lemmy:
        posts = [lemmy.receive_post(url=site.url(f"/{i}.html")) for i in range(4)]
        posts.append(lemmy.receive_post(url=site.url("/4.jpg"), body=f"![]({site.url('/5.jpg')})"))
        own = pictures.jpeg(800, 320, 240)
        mine = upload(lemmy, own)
        posted = lemmy.receive_post(url=mine)
        for i, post in enumerate(posts):
            assert shows(thumbnail(lemmy, post), data[i]).startswith(lemmy.base)
        gate.must("switch remote pass_through")
        preview = json.loads(gate.must("purge federated --dry-run --json"))
        assert preview["aliases"] == len(gate.query("SELECT 1 FROM alias WHERE source = 'remote'")) > 0 and preview["without_origin"] == 0
        said = purge(gate)
        assert (said["purged"], said["without_origin"], said["not_kept"]) == (preview["aliases"], 0, 0)
        assert gate.query("SELECT count(*) FROM alias WHERE source = 'remote'") == [(0,)]
        for i, post in enumerate(posts):  # the running gate hears of it within a second
            wait_until("it comes from its origin", lambda: shows(thumbnail(lemmy, post), data[i]).startswith(site.url("/")), 1)
        shows(mine, own)
        shows(thumbnail(lemmy, posted), own)
        wait_until("only the upload's files are left", lambda: len(gate.blobs()) <= 3, 30)
        gate.must("switch remote cache")
        for i, post in enumerate(posts):
            assert shows(post["thumbnail_url"], data[i]).startswith(lemmy.base), "kept again once it was screened"


def test_a_users_upload_of_the_same_bytes_stays(gate, elsewhere):
    site, data = elsewhere
    mine, remote = stored(gate, data[0]), download(gate, site, "/0.jpg")
    assert gate.query("SELECT count(*) FROM blob WHERE state = 1") == [(1,)], "they are one file"
    purge(gate)
    assert gate.fetch(mine["file"])
    gate.must("switch remote pass_through")
    answer = wait_until("the gate knows", lambda: (a := gate.get(f"/image/original/{remote['file']}", RELAYED)).status == 307 and a, 1)
    assert answer.headers["Location"] == site.url("/0.jpg")
    assert gate.request("DELETE", f"/image/delete/{remote['delete_token']}/{remote['file']}").status == 204, "its token still deletes it"


def test_a_crawler_does_not_bring_back_what_was_purged(gate, elsewhere):
    site, data = elsewhere
    data = [pictures.jpeg(900 + i, 64, 48) for i in range(30)]
    for i, one in enumerate(data):
        site.pages[f"/many-{i}.jpg"] = ("image/jpeg", one)
    files = [download(gate, site, f"/many-{i}.jpg") for i in range(30)]
    purge(gate)
    answers = [gate.get(f"/image/original/{file['file']}", RELAYED) for file in files]
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) >= 10 and statuses.count(307) >= 5 and set(statuses) == {200, 307}
    assert all(a.headers["Location"] == site.url(f"/many-{i}.jpg") for i, a in enumerate(answers) if a.status == 307)


def test_what_is_on_a_list_is_kept_as_evidence_and_gone(gate, elsewhere):
    site, data = elsewhere
    public = dict(re.findall(r'(\w+) = "(.*)"', gate.must("evidence keygen", "--out", gate.folder / "keys")))
    bad, good = download(gate, site, "/1.jpg"), download(gate, site, "/2.jpg")
    gate.add_list("csam/test", "sha256", [hashlib.sha256(data[1]).hexdigest()])
    done = gate.cli("purge federated --json")
    assert done.returncode == 2 and "could not be kept" in done.stdout, "without keys it stays, and is said"
    assert json.loads(done.stdout.splitlines()[-1])["not_kept"] == 1
    assert gate.query("SELECT alias FROM alias") == [(bad["file"],)]
    gate.configure("evidence", **public)
    said = purge(gate)
    assert (said["purged"], said["preserved"]) == (0, 1)
    answer = gate.get(f"/image/original/{bad['file']}", RELAYED)
    assert answer.status == 410 and site.url("/") not in str(answer), "and its origin is not named"
    assert gate.query("SELECT count(*) FROM evidence") == [(1,)]
    assert gate.get(f"/image/original/{good['file']}", RELAYED).status in (200, 307)


def test_what_has_no_known_origin_stays_unless_it_is_wanted_gone(gate, elsewhere):
    site, _ = elsewhere
    file = download(gate, site, "/3.jpg")
    gate.stop()
    with contextlib.closing(sqlite3.connect(gate.data / "portcullis.sqlite")) as database:
        database.execute("UPDATE alias SET url = NULL")
        database.commit()
    done = gate.cli("purge federated")
    assert done.returncode == 2 and f"{file['file']} stays: its origin is not known" in done.stdout
    gate.must("purge federated --even-without-origin")
    assert gate.blobs() == [], "without a running gate the command removes the files"
    gate.start()
    assert gate.get(f"/image/original/{file['file']}", RELAYED).status == 404


def begin(gate, *words):
    return subprocess.Popen([gate.program, "purge", "federated", *words, "--config", gate.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, cwd=gate.folder)


def test_killed_anywhere_it_goes_on_and_a_second_one_waits_its_turn(gate, elsewhere):
    site, _ = elsewhere
    for i in range(40):
        site.pages[f"/kill-{i}.jpg"] = ("image/jpeg", pictures.jpeg(1000 + i, 48, 48))
    files = [download(gate, site, f"/kill-{i}.jpg") for i in range(40)]
    left = lambda: gate.query("SELECT count(*) FROM alias")[0][0]
    for stop_at in (35, 15):
        process = begin(gate, "--rate", "4")
        wait_until("it has begun", lambda: left() <= stop_at, 60)
        process.send_signal(signal.SIGSTOP)
        second = gate.cli("purge federated")
        assert second.returncode == 1 and "another purge is at work" in second.stderr
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert 0 < left() <= stop_at
    gate.must("switch remote block")  # a switch that is flipped in the middle changes nothing of it
    said = purge(gate)
    assert left() == 0 and said["purged"] == 40, "what earlier runs did is counted"
    for file in files:
        assert gate.get(f"/image/original/{file['file']}", RELAYED).headers["Cache-Control"] == "no-store"
    assert [row[0] for row in gate.query("SELECT kind FROM job")] == []


# --- by other keys ---

@pytest.mark.parametrize("near", [False, True], ids=["exactly", "and what looks like it"])
def test_by_sha256(gate, near):
    data = pictures.jpeg(1100, 320, 240)
    lookalike = pictures.encode(pictures.decode(data).convert("RGB"), "JPEG", quality=60)
    first, second, other = stored(gate, data), stored(gate, lookalike), stored(gate, pictures.jpeg(1101, 320, 240))
    words = ["sha256", hashlib.sha256(data).hexdigest(), *(["--near", "31"] if near else [])]
    preview = gate.must("purge", *words)
    assert f"{1 + near} aliases would go" in preview and "--yes" in preview and gate.fetch(first["file"])
    gate.must("purge", *words, "--yes")
    wait_until("the gate knows", lambda: gate.get(f"/image/original/{first['file']}", RELAYED).status == 410, 10)
    assert gate.get(f"/image/original/{second['file']}", RELAYED).status == (410 if near else 200)
    assert gate.fetch(other["file"])
    assert json.loads(gate.must("audit list --json").splitlines()[-1])["action"] == "purge"


def test_by_alias_and_by_host(gate, elsewhere):
    site, data = elsewhere
    mine, remote, also = stored(gate, pictures.jpeg(1200)), download(gate, site, "/7.jpg"), download(gate, site, "/8.jpg")
    gate.must("purge alias", mine["file"], "--yes")
    wait_until("the gate knows", lambda: gate.get(f"/image/original/{mine['file']}", RELAYED).status == 410, 10)
    assert gate.fetch(remote["file"])
    assert "2 aliases would go" in gate.must("purge host 127.0.0.2 --dry-run")
    assert "0 aliases would go" in gate.must("purge host 127.0.0 --dry-run")
    gate.must("purge host 127.0.0.2 --yes")
    for file in (remote, also):
        answer = wait_until("the gate knows", lambda: (a := gate.get(f"/image/original/{file['file']}", RELAYED)).status == 410 and a, 10)
        assert "Location" not in answer.headers


def test_by_the_account_that_uploaded(gate):
    """The account as Lemmy's session names it."""
    files = {account: gate.post([pictures.jpeg(1300 + int(account))], [*RELAYED, ("Authorization", wire.session_of(account))]).json()["files"][0]
             for account in ("17", "18")}
    assert "1 aliases would go" in gate.must("purge user 17")
    gate.must("purge user 17 --yes")
    wait_until("the gate knows", lambda: gate.get(f"/image/original/{files['17']['file']}", RELAYED).status == 410, 10)
    assert gate.fetch(files["18"]["file"])


@pytest.mark.parametrize("words,says", [("alias nothing.png", "no alias nothing.png"), ("sha256 zz", "64 hexadecimal digits"),
                                        (f"sha256 {'0' * 64}", "no stored picture"), ("host nowhere.example", None), ("user 9999", None)])
def test_a_key_that_means_nothing(gate, words, says):
    done = gate.cli(f"purge {words} --yes")
    assert (done.returncode, says in done.stderr if says else "0 aliases" in done.stdout) == (1 if says else 0, True), done
