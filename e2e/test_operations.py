"""Switches, signals, faults of the machine: what an admin does to a gate, and what a machine does to it."""
import contextlib
import hashlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pictures
import pytest
import wire
from gate import wait_until
from small_disk import SmallDisk


def upload_half(gate, data, relayed=True):
    """Sends an upload up to its last bytes: (connection, what is left to send)."""
    content_type, body = wire.multipart([data])
    connection = wire.Wire(gate.media)
    headers = wire.as_lemmy_relays() if relayed else []
    connection.send(wire.head("POST", "/image", [*headers, ("Content-Type", content_type), ("Content-Length", len(body))]))
    connection.send(body[:-100])
    wait_until("the gate has begun to read it", lambda: gate.metrics()["portcullis_spool_bytes"] > 0)
    return connection, body[-100:]


# --- lockdown ---

def test_invariant_10_a_lockdown_holds_within_a_second_for_uploads_under_way_and_over_restarts(new_gate):
    gate = new_gate().start()
    stored = gate.store(pictures.tiny(1))
    connection, rest = upload_half(gate, pictures.large(2))
    begin = time.monotonic()
    gate.must("lockdown", "on", "uploads", "--message", "Closed for tonight.")
    done = time.monotonic()
    answer = gate.upload(pictures.tiny(3))
    assert (answer.code, answer.json()["msg"]) == ("uploads-closed", "Closed for tonight.")
    assert time.monotonic() - done < 1 and done - begin < 10
    connection.send(rest)
    late = connection.read()
    assert (late.status, late.code) == (answer.status, "uploads-closed"), "it began before and does not land after"
    assert gate.fetch(stored["file"])
    blobs = gate.blobs()
    gate.kill()
    gate.start()
    assert gate.upload(pictures.tiny(3)).code == "uploads-closed"
    gate.restart()
    assert gate.upload(pictures.tiny(3)).code == "uploads-closed" and gate.fetch(stored["file"])
    status = json.loads(gate.must("status", "--json"))
    assert status["uploads"] == "closed" and status["switches"][0]["message"] == "Closed for tonight."
    assert gate.metrics()["portcullis_uploads_open"] == 0
    assert len(gate.blobs()) == 1 <= len(blobs)
    gate.must("lockdown", "off", "uploads")
    wait_until("uploads are open again", lambda: gate.upload(pictures.tiny(3)).status == 201, 1)
    assert gate.metrics()["portcullis_uploads_open"] == 1


def test_a_lockdown_can_be_set_before_the_first_start(new_gate):
    gate = new_gate()
    gate.must("lockdown", "on", "uploads")
    gate.start()
    answer = gate.upload(pictures.tiny(1))
    assert answer.code == "uploads-closed" and answer.json()["msg"], "there is a text without a message too"


# --- SIGHUP ---

def test_a_wrong_policy_or_config_is_named_by_line_and_column_and_the_old_one_stays(new_gate):
    gate = new_gate().start()
    policy, config = gate.policy.read_text(), gate.config.read_text()
    cases = [
        (gate.policy, policy.replace("at_least = 0.85", "at_least = 8.5"), "policy.toml"),
        (gate.policy, policy.replace('then = "refuse"', 'then = "refuze"', 1), "policy.toml"),
        (gate.policy, policy.replace('model    = "open_nsfw"', 'model    = "open_nfsw"'), "policy.toml"),
        (gate.policy, policy + "\n[[rule]\n", "policy.toml"),
        (gate.config, re.sub(r'(?m)^#?\s*max_file_size = .*', 'max_file_size = "40 parsecs"', config, count=1), "portcullis.toml"),
        (gate.config, config.replace("[media]", "[media]\nmax_file_syze = 3"), "portcullis.toml"),
        (gate.config, config + "\n]", "portcullis.toml"),
    ]
    for path, text, name in cases:
        assert text not in (policy, config)
        path.write_text(text)
        said = gate.reload()
        assert said["level"] == "error" and re.search(rf"{re.escape(name)}:\d+:\d+: ", said["why"]), said
        assert gate.upload(pictures.tiny(1)).status == 201, "the old one stays"
        done = gate.cli("check")
        assert done.returncode == 1 and re.search(rf"{re.escape(name)}:\d+:\d+", done.stdout), done.stdout
        gate.policy.write_text(policy), gate.config.write_text(config)
        assert gate.reload()["level"] == "info"
    gate.policy.rename(gate.folder / "away.toml")
    assert gate.reload()["level"] == "error"
    assert gate.upload(pictures.tiny(1)).status == 201


def test_a_wrong_config_does_not_start(new_gate):
    gate = new_gate()
    gate.config.write_text(gate.config.read_text().replace("[media]", "[media]\nmax_file_syze = 3"))
    done = gate.cli("serve")
    assert done.returncode == 1 and re.search(r"portcullis\.toml:\d+:\d+: .*max_file_syze", done.stderr), done.stderr


def test_reloading_under_traffic_loses_no_request(new_gate):
    gate = new_gate().start()
    file, answers, ended = gate.store(pictures.tiny(1)), [], threading.Event()

    def traffic():
        while not ended.is_set():
            answers.append(gate.upload(pictures.tiny(len(answers) % 7)).status)
            answers.append(gate.get(f"/image/original/{file['file']}").status)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        for _ in range(10):
            assert gate.reload()["level"] == "info"
    finally:
        ended.set()
        thread.join()
    assert set(answers) == {201, 200} and len(answers) > 10


# --- start and stop ---

def one_sentence(done):
    assert done.returncode == 1, done
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1 and lines[0].startswith("portcullis: "), done.stderr
    return lines[0]


@pytest.mark.parametrize("which", ["media", "admin"])
def test_a_port_that_is_taken_is_named(new_gate, which):
    gate = new_gate()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        gate.configure("listen", **{which: f"127.0.0.1:{port}"})
        said = one_sentence(gate.cli("serve"))
        assert str(port) in said and "taken" in said


def test_a_second_gate_on_the_same_data_is_refused(new_gate):
    gate = new_gate().start()
    assert "another" in one_sentence(gate.cli("serve"))
    assert gate.upload(pictures.tiny(1)).status == 201


def test_a_data_folder_that_cannot_be_used_is_named(new_gate):
    gate = new_gate()
    file = gate.folder / "a-file"
    file.write_text("in the place of a folder")
    text = gate.config.read_text()
    gate.config.write_text(text.replace(f'"{gate.data}"', f'"{file}"'))
    assert gate.config.read_text() != text
    for command in ("serve", "status", "check"):
        done = gate.cli(command)
        assert done.returncode == 1 and str(file) in done.stderr + done.stdout, command
    assert file.read_text() == "in the place of a folder"
    gate.config.write_text(text)
    shutil.rmtree(gate.data / "blobs", ignore_errors=True)
    (gate.data / "blobs").write_text("")
    assert "blobs" in one_sentence(gate.cli("serve"))


def test_a_database_that_is_none_is_named_and_left_alone(new_gate):
    gate = new_gate().start()
    gate.stop()
    database = gate.data / "portcullis.sqlite"
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    database.write_text("this is not a database, but somebody's notes " * 100)
    assert "portcullis.sqlite" in one_sentence(gate.cli("serve"))
    assert database.read_text().startswith("this is not a database")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_lets_an_upload_under_way_finish(new_gate, signal_number):
    gate = new_gate().start()
    connection, rest = upload_half(gate, pictures.large(4))
    gate.process.send_signal(signal_number)

    def refuses_new_ones():
        try:
            with wire.Wire(gate.media, timeout=5) as late:
                late.send(wire.head("GET", "/healthz"))
                late.read()
                return False
        except (ConnectionRefusedError, wire.Gone, ConnectionResetError, TimeoutError):
            return True

    wait_until("new connections are refused", refuses_new_ones, 10)
    connection.send(rest)
    answer = connection.read()
    assert answer.status == 201
    assert gate.process.wait(30) == 0
    gate.process = None
    assert not gate.log()[-1]["what"].startswith("error")
    gate.start()
    assert gate.fetch(answer.json()["files"][0]["file"])


def test_stopping_does_not_wait_for_ever(new_gate):
    gate = new_gate()
    gate.configure("http", drain_timeout="1s")
    gate.start()
    idle = wire.Wire(gate.media)
    connection, _ = upload_half(gate, pictures.large(5))
    begin = time.monotonic()
    gate.stop(20)
    assert time.monotonic() - begin < 10
    assert idle.ended() and connection.ended()
    assert gate.blobs() == []


def test_no_decoder_outlives_its_gate(new_gate):
    gate = new_gate().start()
    children = gate.children()
    assert children
    gate.kill()

    def gone():
        for pid in children:
            with contextlib.suppress(OSError):
                if "portcullis" in open(f"/proc/{pid}/cmdline").read() and "State:\tZ" not in open(f"/proc/{pid}/status").read():
                    return False
        return True

    wait_until("the decoders are gone", gone, 10)


# --- the machine ---

@contextlib.contextmanager
def locked(gate):
    """Another process holds the database's write lock."""
    script = ("import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); "
              "d.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()")
    holder = subprocess.Popen([sys.executable, "-c", script, str(gate.data / "portcullis.sqlite")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        yield
    finally:
        holder.communicate("")


def test_invariant_4_while_the_database_is_locked_nothing_is_taken_and_everything_served(new_gate):
    gate = new_gate().start()
    old, new = gate.store(pictures.tiny(1)), gate.store(pictures.tiny(2))
    gate.fetch(old["file"])
    with locked(gate):
        begin = time.monotonic()
        answer = gate.upload(pictures.tiny(3))
        assert (answer.status, answer.code) == (503, "storage-unavailable") and int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - begin < 30, "Lemmy waits that long"
        for file in (old, new):
            assert gate.fetch(file["file"])
        deleting = gate.request("DELETE", f"/image/delete/{new['delete_token']}/{new['file']}")
        assert deleting.status == 503 and gate.fetch(new["file"])
    gate.store(pictures.tiny(3))
    wait_until("what was begun in vain is cleared", lambda: len(gate.blobs()) == 3, 30)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1.1, 1.5], ids=[
    "room for nothing", "for rows", "for half a spool", "for a spool", "for a spool and half a blob"])
def test_invariant_4_on_a_full_disk_nothing_is_taken_and_everything_served(new_gate, share):
    gate = new_gate()
    data = pictures.large(6)
    leave = int(len(data) * share)
    with SmallDisk(gate.data, 40 * 1024 * 1024) as disk:
        try:
            gate.start(restore_signals=disk.mounted)  # SIGXFSZ stays ignored where it is needed
            old = gate.store(pictures.jpeg(7))
            served = gate.fetch(old["file"])
            disk.fill(gate, leave)
            for attempt in range(3):
                answer = gate.upload(data)
                assert (answer.status, answer.code) == (503, "storage-unavailable"), attempt
                assert gate.fetch(old["file"]) == served
            assert gate.get("/healthz").status == 200
            assert gate.metrics()["portcullis_spool_bytes"] == 0
            disk.free(gate)
            new = wait_until("there is room again", lambda: (a := gate.upload(data)).status == 201 and a, 20)
            assert gate.fetch(new.json()["files"][0]["file"]) and gate.fetch(old["file"]) == served
            wait_until("nothing is left of the failed ones", lambda: len(gate.blobs()) == 2, 30)
            gate.restart()
            assert gate.fetch(old["file"]) == served
        finally:
            gate.end()


def test_a_blob_that_is_missing_is_no_lie(new_gate):
    gate = new_gate().start()
    file = gate.store(pictures.tiny(8))
    gate.stop()
    (gate.data / gate.blobs()[0]).unlink()
    gate.start()
    answer = gate.get(f"/image/original/{file['file']}")
    assert answer.status in (404, 500) and not answer.headers["Content-Type"].startswith("image/") if answer.body else True
    assert answer.status != 200


# --- what must not be seen ---

SECRETS = {
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.SecretSignatureOfTheBearer",
    "cookie": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.SecretSignatureOfTheCookie",
    "key": "secret-api-key-0123456789", "query": "secret-in-the-query",
}


def test_invariant_11_secrets_are_in_no_log_metric_answer_or_row(new_gate):
    gate = new_gate()
    gate.configure("listen", api_key=SECRETS["key"])
    gate.configure("log", level="debug")
    gate.start()
    headers = wire.as_lemmy_relays([("Authorization", f"Bearer {SECRETS['token']}"), ("Cookie", f"a=b; jwt={SECRETS['cookie']}"),
                                    ("X-Api-Token", SECRETS["key"]), ("Referer", f"https://a.example/?x={SECRETS['query']}")])
    answers = [gate.post([pictures.tiny(9)], headers), gate.post([b"no picture"], headers), gate.post([], headers)]
    file = answers[0].json()["files"][0]
    for target in (f"/image/original/{file['file']}?auth={SECRETS['query']}", f"/image/delete/{SECRETS['query']}/{file['file']}",
                   f"/internal/purge?alias=x&k={SECRETS['query']}", "/nothing"):
        answers += [gate.get(target, headers), gate.get(target, headers[:-2])]
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [*headers, ("Content-Length", "1"), ("Content-Length", "2")]))
        answers.append(connection.read())
    gate.must("lockdown", "on", "uploads")
    answers.append(gate.post([pictures.tiny(9)], headers))
    deleting = gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}")
    assert deleting.status == 204
    metrics = gate.request("GET", "/metrics", address=gate.admin)
    gate.stop()
    seen = gate.log_file.read_bytes() + gate.out.read_bytes() + metrics.body + b"".join(
        a.body + repr(a.headers).encode() for a in answers)
    for name in gate.files():
        if not name.endswith("policy.toml"):
            seen += (gate.data / name).read_bytes()
    for name, secret in SECRETS.items():
        assert secret.encode() not in seen, name
    for address in (b"192.0.2.7", b"127.0.0.1:42624"):
        assert address not in seen
    assert file["delete_token"].encode() not in gate.log_file.read_bytes() + metrics.body
    entries = gate.log()
    assert any(e.get("request") for e in entries), "entries name the request they belong to"
    assert all({"time", "level", "what"} <= set(e) for e in entries)
    assert len(entries) == len([line for line in gate.log_file.read_text().splitlines() if line]), "nothing but JSON lines"


def test_metrics_count_what_happened(new_gate):
    gate = new_gate()
    banned = pictures.tiny(10)
    gate.add_list("own/a", "sha1", [hashlib.sha1(banned).hexdigest()])
    gate.start()
    file = gate.store(pictures.tiny(11))
    gate.fetch(file["file"]), gate.fetch(file["file"])
    gate.upload(banned), gate.upload(b"no picture")
    gate.get(f"/image/delete/{file['delete_token']}/{file['file']}")
    got = gate.metrics()
    for result, count in {"accepted": 1, "refused": 1, "not_taken": 1, "unanswered": 0, "closed": 0, "failed": 0}.items():
        assert got[f'portcullis_uploads_total{{result="{result}"}}'] == count, result
    assert (got["portcullis_served_total"], got["portcullis_deleted_total"], got["portcullis_aliases"]) == (2, 1, 0)
    assert got["portcullis_problems"] == 0 and got["portcullis_uploads_open"] == 1
    for target, headers in (("/metrics", ()), ("/metrics", wire.as_lemmy_relays())):
        assert gate.get(target, headers).status == 404, "the media port does not show them"
    assert gate.request("POST", "/metrics", address=gate.admin).status == 404


def test_invariant_6_each_verdict_is_recorded_with_its_facts(new_gate):
    gate = new_gate().start()
    gate.store(pictures.tiny(12))
    gate.add_list("own/a", "sha256", [hashlib.sha256(pictures.tiny(13)).hexdigest()])
    assert gate.upload(pictures.tiny(13)).status == 400
    status = json.loads(gate.must("status", "--json"))
    assert status["verdicts"] >= 2 and status["refused"] >= 1 and status["lists"] == 1
    ids = [e["verdict"] for e in gate.log() if e["what"] == "picture refused"]
    assert ids and len(set(ids)) == len(ids)


def test_many_clients_at_once(new_gate):
    gate = new_gate().start()
    results, lock = [], threading.Lock()

    def client(number):
        answer = gate.upload(pictures.tiny(number % 10))
        served = gate.fetch(answer.json()["files"][0]["file"]) if answer.status == 201 else b""
        with lock:
            results.append((number % 10, answer.status, hashlib.sha256(served).hexdigest()))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40 and {status for _, status, _ in results} == {201}
    assert len(set(results)) == 10 == len(gate.blobs()), "ten pictures, each stored once"
