"""Lists of known pictures, this site's own bans and the allow-list, with the real program."""
import contextlib
import hashlib
import http.server
import json
import random
import signal
import subprocess
import threading
import time

import pictures
import pytest
from gate import REFUSED, wait_until
from PIL import ImageOps

POLICY_OF_TAGS = """
[[signal]]
name = "confirmed"
kind = "list"
lists = ["*#confirmed"]

[[rule]]
name = "confirmed"
when = { match = "confirmed" }
then = "refuse"

[default]
then = "accept"
"""


def pdq_of(gate, file):
    return json.loads(gate.cli("scan", file, "--json").stdout)["pdq"][0]["hash"]


def rows(gate):
    return {row["name"]: row for row in json.loads(gate.must("hashlist list", "--json"))}


def refused(answer):
    return answer.status == 400 and answer.json()["code"] == REFUSED


@pytest.fixture
def idle(new_gate):
    return new_gate(profile="lists-only")


@pytest.fixture
def running(new_gate):
    return new_gate(profile="lists-only").start()


@contextlib.contextmanager
def server(answer):
    """`answer(path, headers)` gives status and body. The address of it, and what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            status, body = answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()


# --- lists ---


def test_an_added_list_refuses_and_a_removed_one_does_not(running, tmp_path):
    picture = pictures.jpeg(1)
    table = tmp_path / "mine.csv"
    table.write_text(f"type,hash,label,source,note\nsha256,{hashlib.sha256(picture).hexdigest()},spam,me,\"a, b\"\n")
    running._lists("hashlist add", "own/mine", table)
    assert refused(running.upload(picture))
    running._lists("hashlist remove", "own/mine")
    assert running.upload(picture).status == 201


def test_a_list_that_is_observed_tells_and_refuses_nothing(running, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(pictures.jpeg(2))
    (tmp_path / "pdq.txt").write_text(f"pdq {pdq_of(running, file)}\n")
    running._lists("hashlist add", "new/list", tmp_path / "pdq.txt", "--observe", "--radius", "20")
    assert rows(running)["new/list"] | {"mode": "observe", "radius": 20} == rows(running)["new/list"]
    assert running.upload(file.read_bytes()).status == 201
    assert any(e["what"].startswith("a list that is only observed") and "distance 0" in e["match"] for e in running.log())
    told = json.loads(running.cli("scan", file, "--json").stdout)["facts"]["signals"]
    assert any("observed: near match in new/list at distance 0" in signal["detail"] for signal in told.values()), told
    running._lists("hashlist add", "new/list", tmp_path / "pdq.txt")
    other = pictures.encode(pictures.photo(2), "JPEG", quality=60)
    assert refused(running.upload(other)), "now it counts"


def test_a_policy_may_choose_lists_by_tag(idle, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(pictures.jpeg(3))
    idle.policy.write_text(POLICY_OF_TAGS)
    (tmp_path / "md5.txt").write_text(hashlib.md5(file.read_bytes()).hexdigest() + "\n")
    idle.must("hashlist add", "x/y", tmp_path / "md5.txt", "--kind", "md5", "--action-tag", "other")
    assert idle.cli("scan", file).returncode == 0
    idle.must("hashlist add", "x/y", tmp_path / "md5.txt", "--kind", "md5", "--action-tag", "confirmed")
    done = idle.cli("scan", file)
    assert done.returncode == 1 and "x/y #confirmed" in done.stdout


def test_test_says_which_lists_a_file_is_on(idle, tmp_path):
    known, other = tmp_path / "known.jpg", tmp_path / "other.jpg"
    known.write_bytes(pictures.jpeg(4))
    other.write_bytes(pictures.jpeg(5))
    (tmp_path / "pdq.txt").write_text(f"pdq,{pdq_of(idle, known)}\n")
    (tmp_path / "sha1.txt").write_text(hashlib.sha1(known.read_bytes()).hexdigest() + "\n")
    idle.must("hashlist add", "near", tmp_path / "pdq.txt")
    idle.must("hashlist add", "exact", tmp_path / "sha1.txt", "--kind", "sha1")
    done = idle.cli("hashlist test", known, "--json")
    assert done.returncode == 1
    assert [(m["list"], m["exact"], m.get("distance")) for m in json.loads(done.stdout)["matches"]] == [
        ("exact", True, None), ("near", False, 0)]
    assert idle.cli("hashlist test", other).returncode == 0
    (tmp_path / "text").write_text("no picture")
    assert idle.cli("hashlist test", tmp_path / "text").returncode == 2
    assert idle.cli("hashlist test", tmp_path / "missing").returncode == 2


def test_bad_lists_are_refused_with_a_line_number(idle, tmp_path):
    for text, where in ((f"type,hash\npdq,{'f' * 64}\n", ":2: 256 of the 256 bits"),
                        (f"pdq {'0' * 64}\n", "all zeros"), ("<html>Log in</html>", "begins with <html>"),
                        ('{"data":[', "no JSON"), ("type,hash\nmd5,zz\n", ":2: ")):
        (tmp_path / "list").write_text(text)
        done = idle.cli("hashlist add", "x", tmp_path / "list")
        assert done.returncode == 1 and where in done.stderr, (text, done.stderr)
    assert rows(idle) == {}


def test_ncmec_pages_with_a_password_that_is_told_to_nobody(idle, tmp_path):
    def page(path, headers):
        if headers.get("Authorization") != "Basic dXNlcjpodW50ZXIy":
            return 401, b""
        image = "<image><member id='1'/><id>{0}</id><fingerprints><md5>{1:032x}</md5></fingerprints></image>"
        if "start=2" in path:
            return 200, ("<queryResult><images>" + image.format("c", 3) + "<deletedImage><member id='1'/><id>a</id>"
                         "</deletedImage></images></queryResult>").encode()
        return 200, ("<queryResult><images>" + image.format("a", 1) + image.format("b", 2) + "</images><paging>"
                     "<next>/v2/entries?from=1&amp;start=2</next></paging></queryResult>").encode()

    secret = tmp_path / "secret"
    secret.write_text("basic user:hunter2\n")
    secret.chmod(0o600)
    with server(page) as (address, asked):
        url = f"{address}/hashsharing/v2/entries?from=1"
        denied = idle.cli("hashlist add", "csam/ncmec", url)
        assert denied.returncode == 1 and "401" in denied.stderr and "from=1" not in denied.stderr
        said = idle.must("hashlist add", "csam/ncmec", url, "--credentials", f"file:{secret}")
        assert "2 entries" in said and "1 withdrawn" in said
        assert [path for path, _ in asked[1:]] == ["/hashsharing/v2/entries?from=1", "/hashsharing/v2/entries?from=1&start=2"]
        assert "unchanged" in idle.must("hashlist update")
    done = idle.cli("hashlist update", "csam/ncmec")
    assert done.returncode == 1 and rows(idle)["csam/ncmec"]["entries"] == 2, "the last good version stays"
    assert idle.holding(b"hunter2") == []
    assert idle.cli("hashlist add", "x", "https://user:hunter2@127.0.0.1/").returncode == 1
    assert "https" in idle.cli("hashlist add", "x", "http://lists.example/").stderr


def test_an_update_is_all_or_nothing(idle, tmp_path):
    source = tmp_path / "list.txt"
    source.write_text("".join(f"md5,{i:032x}\n" for i in range(100)))
    idle.must("hashlist add", "x/list", source)
    for bad in ("md5,zz\n", "", f"md5,{1:032x}\n"):
        source.write_text(bad)
        done = idle.cli("hashlist update", "x/list")
        assert done.returncode == 1 and rows(idle)["x/list"]["entries"] == 100, bad
    assert "--force" in done.stderr
    assert "1 entries (was 100)" in idle.must("hashlist update", "--force")
    source.unlink()
    assert idle.cli("hashlist update").returncode == 1
    assert rows(idle)["x/list"]["entries"] == 1


def test_a_kill_at_any_point_leaves_the_old_or_the_new_list(idle, tmp_path):
    counts = (60_000, 50_000)
    sources = [tmp_path / str(count) for count in counts]
    for source, count in zip(sources, counts):
        source.write_text("".join(f"md5,{i * 7919 + count:032x}\n" for i in range(count)))
    idle.must("hashlist add", "x/list", sources[0])
    began = time.monotonic()
    idle.must("hashlist add", "x/list", sources[1])
    takes, seen, random_times = time.monotonic() - began, set(), random.Random(1)
    for i in range(12):
        command = [str(idle.program), "hashlist", "add", "x/list", str(sources[i % 2]), "--config", str(idle.config)]
        process = subprocess.Popen(command, cwd=idle.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(random_times.uniform(takes / 3, takes))
        process.send_signal(signal.SIGKILL)
        process.wait()
        row = rows(idle)["x/list"]
        assert row["entries"] in counts
        seen.add(row["entries"])
        done = idle.cli("hashlist test", idle.config, "--json")
        assert "unanswered" not in json.loads(done.stdout), "the list that is named is there and whole"
    idle.must("hashlist add", "x/list", sources[0])
    assert len(list((idle.data / "lists").iterdir())) == 1, "what the kills left is gone"


def test_two_updates_of_one_list_come_one_after_the_other(idle, tmp_path):
    go = threading.Event()

    def slow(path, headers):
        go.wait(30)
        return 200, b"".join(b"md5,%032x\n" % i for i in range(10))

    with server(slow) as (address, asked):
        command = [str(idle.program), "hashlist", "add", "x/list", address + "/list", "--config", str(idle.config)]
        first = subprocess.Popen(command, cwd=idle.folder, stdout=subprocess.PIPE, text=True)
        wait_until("the first asks", lambda: asked)
        second = subprocess.Popen(command, cwd=idle.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert f"Process {first.pid} is changing the list x/list" in second.stderr.readline()
        assert len(asked) == 1
        go.set()
        assert first.wait(60) == 0 and second.wait(60) == 0
        assert len(asked) == 2 and rows(idle)["x/list"]["entries"] == 10
        first.stdout.close(), second.communicate()


def test_check_tells_of_lists_that_are_old_or_unreadable(idle, tmp_path):
    (tmp_path / "list").write_text("md5," + "a" * 32 + "\n")
    idle.must("hashlist add", "x/list", tmp_path / "list", "--max-age", "1m")
    assert idle.cli("check").returncode == 0
    import sqlite3
    with contextlib.closing(sqlite3.connect(idle.data / "portcullis.sqlite")) as database:
        database.execute("UPDATE hashlist SET checked = checked - 3600 * 1000000")
        database.commit()
    done = idle.cli("check")
    assert done.returncode == 1 and "hashlist update x/list" in done.stdout
    idle.must("hashlist update")
    assert idle.cli("check").returncode == 0
    (file,) = (idle.data / "lists").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    done = idle.cli("check")
    assert done.returncode == 1 and "damaged" in done.stdout


# --- bans ---


def cut(image, left, top, right, bottom):
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(w - right * w), round(h - bottom * h)))


def test_a_banned_picture_is_refused_with_its_cut_and_bordered_copies(running, tmp_path):
    image = pictures.photo(20, 800, 600)
    file = tmp_path / "bad.jpg"
    file.write_bytes(pictures.encode(image, "JPEG", quality=92))
    copies = {
        "re-encoded": image, "smaller": image.resize((400, 300)), "mirrored": ImageOps.mirror(image),
        "all sides 5 %": cut(image, .05, .05, .05, .05), "left 9 %": cut(image, .09, 0, 0, 0),
        "bottom 4 %": cut(image, 0, 0, 0, .04), "top and bottom 6 %": cut(image, 0, .06, 0, .06),
        "white border": ImageOps.expand(image, 45, "white"), "black border": ImageOps.expand(image, 30, "black"),
    }
    encoded = {name: pictures.encode(copy, "JPEG", quality=80) for name, copy in copies.items()}
    other = pictures.jpeg(21, 800, 600)
    said = running._lists("ban", file, "--why", "spam")
    assert "perceptual hashes" in said
    assert refused(running.upload(file.read_bytes()))
    for name, data in encoded.items():
        assert refused(running.upload(data)), name
    assert running.upload(other).status == 201
    running._lists("unban", file)
    assert rows(running) == {} and running.upload(encoded["all sides 5 %"]).status == 201


def test_an_alias_is_banned_by_what_is_stored_and_by_its_original(running):
    picture = pictures.jpeg(22)
    stored = running.store(picture)["file"]
    said = running._lists("ban", f"https://site.example/pictrs/image/{stored}?format=webp")
    assert "stays until it is deleted" in said
    assert running.fetch(stored), "a ban deletes nothing"
    digests = running.query("SELECT digest FROM ban WHERE kind = 'sha256'")
    assert (hashlib.sha256(picture).hexdigest(),) in digests and len(digests) >= 1
    assert refused(running.upload(picture))
    assert refused(running.upload(pictures.encode(pictures.photo(22), "WEBP", quality=70)))
    running._lists("ban", "--undo", stored)
    assert running.upload(picture).status == 201


def test_a_bare_hash_is_banned(running):
    picture = pictures.jpeg(23)
    running._lists("ban", "--hash", "sha1:" + hashlib.sha1(picture).hexdigest().upper())
    assert refused(running.upload(picture))
    assert running.cli("ban", "--hash", "sha1:zz").returncode == 1
    assert running.cli("ban", "--hash", "pdq:" + "0" * 64).returncode == 1
    assert running.cli("ban").returncode == 1 and running.cli("ban", "no-such-alias.jpeg").returncode == 1
    running._lists("unban", "--hash", "sha1:" + hashlib.sha1(picture).hexdigest())
    assert running.upload(picture).status == 201
    assert running.cli("unban", "--hash", "md5:" + "a" * 32).returncode == 1, "nothing of that was banned"


def test_bans_at_once_lose_none(idle, tmp_path):
    files = []
    for i in range(6):
        files.append(tmp_path / f"{i}.jpg")
        files[-1].write_bytes(pictures.tiny(100 + i))
    commands = [[str(idle.program), "ban", str(file), "--config", str(idle.config)] for file in files]
    running = [subprocess.Popen(c, cwd=idle.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in commands]
    assert [process.wait(120) for process in running] == [0] * 6
    assert len(idle.query("SELECT DISTINCT picture FROM ban")) == 6
    assert rows(idle)["banned"]["entries"] == idle.query("SELECT count(*) FROM (SELECT DISTINCT kind, digest FROM ban)")[0][0]
    for file in files:
        assert idle.cli("hashlist test", file).returncode == 1
    for command in ("add", "remove"):
        done = idle.cli(f"hashlist {command}", "banned", *([files[0]] if command == "add" else []))
        assert done.returncode == 1 and "ban" in done.stderr


# --- the allow-list ---


def test_what_is_allowed_passes_near_matches_and_no_exact_one(running, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(pictures.jpeg(30))
    (tmp_path / "pdq.txt").write_text(f"pdq,{pdq_of(running, file)}\n")
    running._lists("hashlist add", "x/near", tmp_path / "pdq.txt")
    assert refused(running.upload(file.read_bytes()))
    running.must("hashlist allow", file, "--why", "a moderator looked")
    assert running.upload(file.read_bytes()).status == 201
    assert running.cli("scan", file).returncode == 0
    assert refused(running.upload(pictures.encode(pictures.photo(30), "JPEG", quality=50))), "these bytes alone"
    (entry,) = json.loads(running.must("hashlist allowed", "--json"))
    assert entry["why"] == "a moderator looked" and entry["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "md5.txt").write_text(hashlib.md5(file.read_bytes()).hexdigest() + "\n")
    running._lists("hashlist add", "x/exact", tmp_path / "md5.txt", "--kind", "md5")
    assert refused(running.upload(file.read_bytes()))
    running._lists("hashlist remove", "x/exact")
    running.must("hashlist disallow", entry["sha256"])
    assert refused(running.upload(file.read_bytes()))
    assert running.cli("hashlist disallow", entry["sha256"]).returncode == 1
    assert running.cli("hashlist allow", "not-a-file").returncode == 1
