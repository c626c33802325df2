"""`portcullis import pict-rs`: what an existing pict-rs holds, taken over. With PICTRS set the HTTP side is a real pict-rs 0.5.19."""
import datetime
import hashlib
import json
import os
import signal
import subprocess

import pict_rs
import pictures
import pytest
import wire
from gate import wait_until
from pict_rs_imposter import PictRsImposter
from postgres import Postgres, inserts
from small_disk import SmallDisk

# Of pict-rs 0.5's tables, what an import reads.
TABLES = """
CREATE TABLE hashes (hash TEXT PRIMARY KEY, identifier TEXT UNIQUE NOT NULL, created_at TIMESTAMP NOT NULL);
CREATE TABLE aliases (alias TEXT PRIMARY KEY, hash TEXT NOT NULL REFERENCES hashes, token TEXT NOT NULL);
CREATE INDEX aliases_hash_index ON aliases (hash);
CREATE TABLE details (identifier TEXT PRIMARY KEY, json JSONB NOT NULL);
CREATE TABLE proxies (url TEXT PRIMARY KEY, alias TEXT NOT NULL REFERENCES aliases);
"""
POLICY = """
[[signal]]
name = "known"
kind = "list"
lists = ["known/*"]
[[signal]]
name = "suspicious"
kind = "list"
lists = ["look/*"]
[[rule]]
name = "known"
when = { match = "known" }
then = "refuse"
preserve = true
[[rule]]
name = "look first"
when = { match = "suspicious" }
then = "hold"
[default]
then = "accept"
"""
WHEN = datetime.datetime(2024, 6, 25, 20, 34, 48, 123456, tzinfo=datetime.timezone.utc)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.end()


@pytest.fixture
def old(room, request):
    server = PictRsImposter(room / request.node.name[:60].replace("/", "_")).start()
    yield server
    server.end()


@pytest.fixture
def gate(new_gate):
    made = new_gate()
    made.policy.write_text(POLICY)
    keys = made.must("evidence keygen", "--out", made.folder / "keys")
    for line in keys.splitlines():
        if line.startswith(("review_key", "evidence_key")):
            name, _, value = line.partition(" = ")
            made.configure("evidence", **{name: json.loads(value)})
    return made


class Source:
    """Where an import reads from; its arguments."""

    def __init__(self, old, postgres=None):
        self.old, self.postgres = old, postgres

    @property
    def arguments(self):
        if self.postgres is None:
            return ["--api", self.old.url, "--key", self.old.api_key]
        rows = self.old.rows()
        sql = TABLES + "".join(inserts(table, rows[table]) for table in ("hashes", "aliases", "details", "proxies"))
        return ["--postgres", self.postgres.make("pictrs", sql), "--files", self.old.files]


@pytest.fixture(params=["postgres", "api"])
def source(request, old, postgres):
    return Source(old, postgres if request.param == "postgres" else None)


def run(gate, source, *more, **options):
    return gate.cli("import pict-rs", *source.arguments, *more, **options)


def report(gate):
    return [json.loads(line) for line in gate.must("import pict-rs", "--report", "--json").splitlines()]


def what_of(gate):
    return {(line["what"], *line["aliases"]) for line in report(gate)}


def test_everything_comes_over_under_its_names(gate, source):
    old = source.old
    kinds = [pictures.jpeg(1), pictures.png(2), pictures.webp(3), pictures.animation(4)]
    aliases = [old.add(data, created=WHEN) for data in kinds]
    second = old.add(kinds[0])
    done = run(gate, source)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "5 names taken over" in done.stdout
    gate.start()
    for alias, data in zip([*aliases, second], [*kinds, kinds[0]]):
        assert pictures.difference(pictures.pixels(gate.fetch(alias)), pictures.pixels(data)) < 8
        answer = gate.get(f"/image/original/{alias}")
        assert answer.headers["Last-Modified"] == "Tue, 25 Jun 2024 20:34:48 GMT"
        details = gate.get(f"/image/details/original/{alias}").json()
        assert details["created_at"].startswith("2024-06-25T20:34:48.123456")
        assert details["content_type"] == old.by_alias[alias].details["content_type"]
    assert not old.asked("internal/purge") and not old.asked("internal/delete")
    assert report(gate) == []


def test_a_database_gives_delete_tokens_and_proxied_addresses_too(gate, old, postgres):
    source = Source(old, postgres)
    gate.must("switch remote cache")
    url = "https://elsewhere.example/cat.jpg"
    upload = old.add(pictures.jpeg(1), token="the-token-of-the-upload")
    proxied = old.add(pictures.jpeg(2), url=url, created=WHEN)
    assert run(gate, source).returncode == 0
    assert gate.query("SELECT source, url FROM alias WHERE alias = '%s'" % proxied) == [("remote", url)]
    assert gate.query("SELECT source, url FROM alias WHERE alias = '%s'" % upload) == [("import", None)]
    gate.start()
    answer = gate.get(f"/image/original?proxy={url}")
    assert answer.status == 200 and answer.body == gate.fetch(proxied)
    assert gate.request("DELETE", f"/image/delete/another-token/{upload}").status == 403
    assert gate.request("DELETE", f"/image/delete/the-token-of-the-upload/{upload}").status == 204
    assert gate.get(f"/image/original/{upload}").status == 404
    # A copy that nobody asked for since long before does not expire before anybody could ask.
    assert gate.get(f"/image/original/{proxied}").status == 200


def test_a_file_that_is_its_own_rendition_becomes_a_hard_link(new_gate, gate, old, postgres):
    gate.start()
    rendition = gate.fetch(gate.store(pictures.jpeg(1))["file"])  # what is made of it once more is the same
    alias, changed = old.add(rendition), old.add(pictures.camera_jpeg(2))
    other = new_gate()
    other.policy.write_text("[default]\nthen = \"accept\"\n")
    done = run(other, Source(old, postgres), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["linked"] == 1
    assert old.path_of(alias).stat().st_nlink == 2
    assert old.path_of(changed).stat().st_nlink == 1
    assert old.path_of(alias).stat().st_ino in {(other.data / blob).stat().st_ino for blob in other.blobs()}
    assert other.start().fetch(alias) == rendition


def test_invariant_1_and_2_what_is_refused_never_comes_in_and_is_kept_as_policy_says(gate, source):
    old = source.old
    bad, unsure, good = pictures.jpeg(1), pictures.jpeg(2), pictures.jpeg(3)
    bad_alias, unsure_alias, good_alias = old.add(bad), old.add(unsure), old.add(good)
    gate.add_list("known/a", "sha256", [sha256(bad)])
    gate.add_list("look/a", "sha256", [sha256(unsure)])
    done = run(gate, source)
    assert done.returncode == 0, done.stderr
    assert what_of(gate) == {("refused", bad_alias), ("held", unsure_alias)}
    assert len(gate.blobs()) == 1
    kept = json.loads(gate.must("evidence list", "--json").splitlines()[0])
    assert kept
    gate.start()
    for alias in (bad_alias, unsure_alias):
        assert gate.get(f"/image/original/{alias}").status == 410
    assert gate.fetch(good_alias)
    # The second run looks at neither again.
    done = run(gate, source, "--json")
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["refused_before"], end["there_already"], end["names_taken"]) == (2, 1, 0)
    # Unless it is told to, because the list was wrong.
    gate.remove_list("look/a")
    assert run(gate, source).returncode == 0
    assert gate.get(f"/image/original/{unsure_alias}").status == 410
    assert run(gate, source, "--refused-too").returncode == 0
    assert gate.fetch(unsure_alias)
    assert gate.get(f"/image/original/{bad_alias}").status == 410


def test_damaged_missing_and_unreadable_files_are_reported_and_left(gate, source):
    old = source.old
    good = [old.add(pictures.jpeg(seed)) for seed in range(10, 14)]
    damaged, missing = old.add(pictures.jpeg(1)), old.add(pictures.jpeg(2))
    old.path_of(damaged).write_bytes(old.path_of(damaged).read_bytes()[:-1])
    old.path_of(missing).unlink()
    done = run(gate, source)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert what_of(gate) == {("damaged", damaged), ("missing", missing)}
    gate.start()
    for alias in good:
        assert gate.fetch(alias)
    for alias in (damaged, missing):
        assert gate.get(f"/image/original/{alias}").status == 404


def test_a_name_that_this_site_has_given_to_another_picture_is_not_taken_away(gate, source):
    old, mine = source.old, pictures.jpeg(1)
    gate.configure("listen", api_key="k")
    gate.start()
    answer = gate.request("POST", "/internal/import", *as_import("theirs.jpeg", mine))
    assert answer.status == 201, answer
    before = gate.fetch("theirs.jpeg")
    old.add(pictures.jpeg(2), alias="theirs.jpeg")
    other = old.add(pictures.jpeg(3))
    done = run(gate, source)
    assert done.returncode == 2
    assert what_of(gate) == {("name-taken", "theirs.jpeg")}
    assert gate.fetch("theirs.jpeg") == before
    assert gate.fetch(other)


def as_import(alias, data):
    content_type, body = wire.multipart([(alias, "image/jpeg", data)])
    return [("X-Api-Token", "k"), ("Content-Type", content_type)], body


def test_a_dry_run_says_what_would_come_of_it_and_changes_nothing(gate, source):
    old, bad = source.old, pictures.jpeg(1)
    bad_alias = old.add(bad)
    old.add(pictures.jpeg(2))
    gate.add_list("known/a", "sha256", [sha256(bad)])
    done = run(gate, source, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    line, end = (json.loads(one) for one in done.stdout.splitlines())
    assert (line["what"], line["aliases"]) == ("refused", [bad_alias])
    assert end["names_taken"] == 1
    assert gate.blobs() == [] and gate.query("SELECT count(*) FROM alias") == [(0,)]
    assert gate.query("SELECT count(*) FROM job") == [(0,)]
    assert not (gate.data / "import-pict-rs.jsonl").exists()


def test_invariant_5_a_killed_import_goes_on_where_it_stood(gate, source):
    old = source.old
    aliases = [old.add(pictures.tiny(seed)) for seed in range(150)]
    arguments = source.arguments
    command = [str(gate.program), "import", "pict-rs", *map(str, arguments), "--config", str(gate.config)]
    kills = 0
    while kills < 3:
        before = taken(gate)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=gate.folder)
        wait_until("some came in", lambda: taken(gate) > before + 20 or process.poll() is not None)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 2
    assert taken(gate) < len(aliases)
    done = gate.cli("import pict-rs", *arguments)
    assert done.returncode == 0, done.stderr
    assert taken(gate) == len(aliases)
    assert gate.query("SELECT count(*) FROM job") == [(0,)]
    gate.start()
    for alias in aliases[::10]:
        assert gate.fetch(alias)


def taken(gate):
    try:
        return gate.query("SELECT count(*) FROM alias")[0][0]
    except Exception:  # the database is not there yet
        return 0


def test_closed_uploads_stop_it_with_a_sentence(gate, source):
    source.old.add(pictures.jpeg(1))
    gate.must("lockdown", "on")
    done = run(gate, source)
    assert done.returncode == 1
    assert "uploads are closed" in done.stderr and "start it again" in done.stderr
    assert gate.blobs() == []
    gate.must("lockdown", "off")
    assert run(gate, source).returncode == 0


def test_invariant_4_a_full_disk_stops_it_with_a_sentence_and_it_goes_on_when_there_is_room(gate, source):
    aliases = [source.old.add(pictures.large(seed)) for seed in range(24)]
    gate.must("status")  # makes the database
    with SmallDisk(gate.data, 64 * 1024 * 1024) as disk:
        if not disk.mounted:
            pytest.skip("mounting is not allowed here")
        try:
            disk.fill(gate, 10 * 1024 * 1024)
            done = run(gate, source)
            assert done.returncode == 1, done.stdout
            assert "No space left" in done.stderr and "start it again" in done.stderr
            before = taken(gate)
            assert 0 < before < len(aliases)
            disk.free(gate)
            done = run(gate, source)
            assert done.returncode == 0, done.stderr
            gate.start()
            for alias in aliases:
                assert gate.fetch(alias)
        finally:
            gate.end()


def test_it_runs_beside_a_gate_that_serves(gate, source):
    alias = source.old.add(pictures.jpeg(1))
    gate.start()
    assert gate.get(f"/image/original/{alias}").status == 404
    assert run(gate, source).returncode == 0
    assert gate.fetch(alias)


@pytest.mark.parametrize("arguments, says", [
    (["--api", "http://127.0.0.1:9", "--key", "k"], "cannot be reached"),
    (["--api", "pict-rs:8080", "--key", "k"], "address"),
    (["--postgres", "mysql://x"], "needs --files"),
    (["--postgres", "mysql://u:hidden@x", "--files", "."], "no address of a PostgreSQL database"),
    (["--postgres", "postgres://u:hidden@127.0.0.1:9/x", "--files", "."], "cannot be used"),
    (["--postgres", "env:NOT_THERE", "--files", "."], "no environment variable NOT_THERE"),
    (["--postgres", "env:X", "--files", "/not/there"], "no such folder"),
    ([], "say what to take over"),
])
def test_bad_arguments_get_a_sentence_and_no_secret_is_repeated(gate, arguments, says):
    done = gate.cli("import pict-rs", *arguments)
    assert done.returncode == 1, done.stdout
    assert says in done.stderr
    assert "hidden" not in done.stderr + done.stdout


def test_a_wrong_key_a_failing_server_and_a_wrong_folder_get_a_sentence(gate, old, postgres):
    for seed in range(4):
        old.add(pictures.tiny(seed))
    done = gate.cli("import pict-rs", "--api", old.url, "--key", "wr0ng")
    assert done.returncode == 1 and "does not take this API key" in done.stderr and "wr0ng" not in done.stderr
    old.failing["/internal/hashes"] = 500
    done = run(gate, Source(old))
    assert done.returncode == 1 and "answered 500" in done.stderr
    old.failing.clear()
    arguments = Source(old, postgres).arguments
    done = gate.cli("import pict-rs", *arguments[:2], "--files", gate.folder)
    assert done.returncode == 1 and "none of the first 4 files" in done.stderr
    assert run(gate, Source(old, postgres)).returncode == 0


def test_a_database_that_is_not_pict_rs_s_or_may_not_be_read_says_so(gate, old, postgres):
    old.add(pictures.jpeg(1))
    empty = postgres.make("nothing", "SELECT 1;")
    done = gate.cli("import pict-rs", "--postgres", empty, "--files", old.files)
    assert done.returncode == 1 and "no database of a pict-rs 0.5" in done.stderr
    assert Source(old, postgres).arguments
    postgres.execute("pictrs", "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r3ad';")
    done = gate.cli("import pict-rs", "--postgres", postgres.url("pictrs", "reader", "r3ad"), "--files", old.files)
    assert done.returncode == 1 and "GRANT SELECT ON hashes" in done.stderr and "r3ad" not in done.stderr


def test_secrets_come_from_the_environment_or_a_file(gate, old, postgres):
    old.add(pictures.jpeg(1))
    key = gate.folder / "key"
    key.write_text(old.api_key + "\n")
    key.chmod(0o644)
    done = gate.cli("import pict-rs", "--api", old.url, "--key", f"file:{key}")
    assert done.returncode == 1 and "chmod 600" in done.stderr
    key.chmod(0o600)
    assert gate.cli("import pict-rs", "--api", old.url, "--key", f"file:{key}").returncode == 0
    arguments = Source(old, postgres).arguments
    done = gate.cli("import pict-rs", "--postgres", "env:OLD", *arguments[2:], env={**os.environ, "OLD": arguments[1]})
    assert done.returncode == 0, done.stderr


def test_pict_rs_going_away_in_the_middle_stops_it_and_it_goes_on_later(gate, old):
    aliases = [old.add(pictures.tiny(seed)) for seed in range(100)]
    source = Source(old)
    command = [str(gate.program), "import", "pict-rs", *source.arguments, "--config", str(gate.config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=gate.folder)
    wait_until("some came in", lambda: taken(gate) > 10)
    old.failing["/"] = 500
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "answered 500" in said, said
    old.failing.clear()
    done = run(gate, source)
    assert done.returncode == 0, done.stderr
    assert taken(gate) == len(aliases)
    assert report(gate) == []


def test_a_second_import_waits_for_the_first_to_end(gate, old):
    for seed in range(60):
        old.add(pictures.tiny(seed))
    command = [str(gate.program), "import", "pict-rs", *Source(old).arguments, "--config", str(gate.config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=gate.folder)
    wait_until("some came in", lambda: taken(gate) > 5)
    process.send_signal(signal.SIGSTOP)
    done = run(gate, Source(old))
    assert done.returncode == 1 and "another import is at work" in done.stderr
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0


@pytest.mark.skipif(not os.environ.get("PICTRS"), reason="make e2e-pictrs PICTRS=/path/to/pict-rs")
@pytest.mark.parametrize("with_files", [False, True])
def test_a_real_pict_rs_is_taken_over(gate, room, with_files):
    real = pict_rs.PictRs(os.environ["PICTRS"], room / f"real-{with_files}").start()
    try:
        kinds = [pictures.jpeg(1), pictures.png(2), pictures.webp(3), pictures.animation(4), pictures.jpeg(5)]
        aliases = []
        for data in kinds:
            content_type, body = wire.multipart([data])
            answer = gate.request("POST", "/image", [("Content-Type", content_type)], body, address=real.media)
            assert answer.status == 201, answer
            aliases.append(answer.json()["files"][0]["file"])
        bad = gate.request("GET", f"/image/original/{aliases[4]}", address=real.media).body
        gate.add_list("known/a", "sha256", [sha256(bad)])
        arguments = ["--api", f"http://127.0.0.1:{real.media[1]}", "--key", real.api_key]
        if with_files:
            arguments += ["--files", real.folder / "files"]
        done = gate.cli("import pict-rs", *arguments, "--json")
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert json.loads(done.stdout.splitlines()[-1])["names_taken"] == 4
        assert what_of(gate) == {("refused", aliases[4])}
        gate.start()
        for alias, data in zip(aliases[:4], kinds):
            assert pictures.difference(pictures.pixels(gate.fetch(alias)), pictures.pixels(data)) < 8
    finally:
        real.end()


# --- [media] import_fallback ---

@pytest.fixture
def serving(gate, old):
    """A gate that asks the old pict-rs for what has not come over."""
    gate.configure("media", import_fallback=old.url)
    return gate.start()


def test_the_old_server_is_asked_for_what_has_not_come_over_yet(serving, old):
    data = pictures.jpeg(1)
    alias = old.add(data, created=WHEN)
    for headers in (wire.as_lemmy_asks(), wire.as_lemmy_relays()):
        answer = serving.get(f"/image/original/{alias}", headers)
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Cache-Control"] == "public, max-age=300"
    part = serving.get(f"/image/original/{alias}", {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, data[10:20])
    small = serving.get(f"/image/process.webp?src={alias}&thumbnail=32", wire.as_lemmy_relays())
    assert small.status == 200 and small.headers["Content-Type"] == "image/webp"
    assert max(pictures.decode(small.body).size) == 32
    assert serving.get(f"/image/details/original/{alias}").json()["width"] == 640
    assert serving.get("/image/original/not-there.png").status == 404
    assert serving.blobs() == [] and serving.query("SELECT count(*) FROM alias") == [(0,)]
    assert not old.asked("proxy=") and not old.asked("internal/")
    # Once it has come over it is ours.
    assert run(serving, Source(old)).returncode == 0
    asked = len(old.asked("image/original"))
    assert serving.get(f"/image/original/{alias}").headers["Cache-Control"] != "public, max-age=300"
    assert len(old.asked("image/original")) == asked


def test_it_is_never_asked_for_what_the_import_refused_or_somebody_deleted(serving, old):
    bad = pictures.jpeg(1)
    bad_alias, deleted = old.add(bad), old.add(pictures.jpeg(2))
    serving.add_list("known/a", "sha256", [sha256(bad)])
    assert run(serving, Source(old)).returncode == 0
    serving.configure("listen", api_key="k")
    serving.restart()
    assert serving.request("POST", f"/internal/delete?alias={deleted}", {"X-Api-Token": "k"}).status == 200
    before = len(old.requests)
    for target in ("/image/original/{}", "/image/process.webp?src={}&thumbnail=32", "/image/details/original/{}"):
        assert serving.get(target.format(bad_alias)).status == 410
        assert serving.get(target.format(deleted)).status == 404
    assert len(old.requests) == before
    assert run(serving, Source(old)).returncode == 0
    assert serving.get(f"/image/original/{deleted}").status == 404


def test_an_old_server_that_is_gone_or_lies_is_a_404(serving, old):
    alias = old.add(pictures.jpeg(1))
    old.by_alias[alias].details["content_type"] = "text/html"
    assert serving.get(f"/image/original/{alias}").status == 404
    other = old.add(pictures.jpeg(2))
    old.failing["/image"] = 500
    assert serving.get(f"/image/original/{other}").status == 404
    old.end()
    assert serving.get(f"/image/original/{other}").status == 404


def test_a_fallback_that_is_no_address_is_an_error_of_the_config(gate):
    gate.configure("media", import_fallback="pict-rs:8080")
    done = gate.cli("serve")
    assert done.returncode == 1 and "[media] import_fallback" in done.stderr
