"""Switches: from the command line, over HTTP and by themselves; what they close, and for how long."""
import hashlib
import json
import threading

import contract
import pictures
import pytest
import wire
from contract import API_KEY, is_refusal, is_taken
from gate import REFUSED, wait_until
from origin import Origin

TOKEN = "a-token-for-admins-0123456789"


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room, listen={"api_key": API_KEY, "admin_token": TOKEN}) as gate:
        yield gate


@pytest.fixture(autouse=True)
def as_it_was(request):
    yield
    if "gate" in request.fixturenames:
        gate = request.getfixturevalue("gate")
        gate.must("switch uploads open")
        gate.must("switch remote cache")


def state(gate, name):
    return next(one for one in json.loads(gate.must("switch --json")) if one["name"] == name)


def api(gate, method, path="", body=None, token=TOKEN):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return gate.request(method, f"/api/switches{path}", headers, json.dumps(body).encode() if body is not None else b"", address=gate.admin)


@pytest.mark.parametrize("words,says", [
    ("uploads shut", "uploads cannot be \"shut\"; it can be open, closed"), ("remote open", "cache, pass_through, block, default"),
    ("registration closed", "there is no switch \"registration\""), ("uploads", "NAME and STATE"),
    ("uploads closed --for soon", "no length of time"),
])
def test_a_wrong_word_says_which_there_are(gate, words, says):
    done = gate.cli(f"switch {words}")
    assert done.returncode == 1 and says in done.stderr, done


def test_a_switch_says_who_when_why_and_how_long(gate):
    gate.must("switch uploads closed", "--message", "Back tomorrow.", "--reason", "a flood of gore", "--for", "2h")
    said = state(gate, "uploads")
    assert (said["state"], said["message"], said["reason"]) == ("closed", "Back tomorrow.", "a flood of gore")
    assert said["who"] and said["when"] < said["until"]
    assert "because \"a flood of gore\"" in gate.must("status") and gate.metrics()["portcullis_uploads_open"] == 0
    assert gate.metrics()['portcullis_switch{name="uploads",state="closed"}'] == 1
    refused = is_refusal(gate.upload(pictures.jpeg(1)), "uploads-closed")
    assert refused["msg"] == "Back tomorrow." and "gore" not in json.dumps(refused)
    entry = json.loads(gate.must("audit list --json").splitlines()[-1])
    assert entry["action"] == "switch closed" and entry["subject"] == "uploads"


def test_a_switch_with_a_time_goes_back_by_itself(gate):
    gate.must("switch remote block --for 1s")
    assert state(gate, "remote")["state"] == "block"
    wait_until("what was before holds again", lambda: state(gate, "remote")["state"] == "cache", 10)


def test_lockdown_off_restores_what_was_before(gate):
    gate.must("switch remote block")
    gate.must("lockdown on")
    assert (state(gate, "uploads")["state"], state(gate, "remote")["state"]) == ("closed", "block"), "never less strict than before"
    gate.must("lockdown off")
    assert (state(gate, "uploads")["state"], state(gate, "remote")["state"]) == ("open", "cache")
    gate.must("lockdown on")
    gate.must("lockdown on")
    assert (state(gate, "uploads")["state"], state(gate, "remote")["state"]) == ("closed", "pass_through")
    gate.must("lockdown off")
    assert (state(gate, "uploads")["state"], state(gate, "remote")["state"]) == ("open", "cache"), "twice on is off once"
    gate.must("lockdown off")
    assert (state(gate, "uploads")["state"], state(gate, "remote")["state"]) == ("open", "cache"), "there is nothing to lift"


def test_invariant_10_closed_uploads_cover_every_way_in(gate):
    """Uploads, backgrounded ones and their claims, imports, and what is under way."""
    content_type, body = wire.multipart([pictures.jpeg(2)])
    claimed, = gate.request("POST", "/image/backgrounded", {"Content-Type": content_type}, body).json()["uploads"]
    upload_id = claimed["upload_id"]
    wait_until("it is screened", lambda: gate.metrics()['portcullis_uploads_total{result="accepted"}'] > 0)
    with wire.Wire(gate.media) as slow:
        content_type, body = wire.multipart([pictures.jpeg(3)])
        slow.send(wire.head("POST", "/image", [("Content-Type", content_type), ("Content-Length", len(body))]) + body[:1000])
        gate.must("switch uploads closed")
        slow.send(body[1000:])
        is_refusal(slow.read(), "uploads-closed")
    is_refusal(gate.upload(pictures.jpeg(4)), "uploads-closed")
    is_refusal(gate.request("POST", "/image/backgrounded", {"Content-Type": content_type}, body), "uploads-closed")
    is_refusal(contract.upload(gate, pictures.jpeg(5), path="/internal/import", headers=[("X-Api-Token", API_KEY)]), "uploads-closed")
    is_refusal(gate.get(f"/image/backgrounded/claim?upload_id={upload_id}"), "uploads-closed", 422)
    gate.must("switch uploads open")
    is_taken(gate.get(f"/image/backgrounded/claim?upload_id={upload_id}"), 200)


def test_invariant_10_a_switch_holds_over_a_restart_and_a_kill(binaries, room):
    gate = contract.configured(binaries, room)
    try:
        gate.must("lockdown on")
        gate.start()
        is_refusal(gate.upload(pictures.jpeg(1)), "uploads-closed")
        gate.must("switch remote block")
        gate.kill()
        gate.start()
        is_refusal(gate.upload(pictures.jpeg(1)), "uploads-closed")
        assert state(gate, "remote")["state"] == "block"
    finally:
        gate.end()


def test_a_remote_picture_under_way_is_not_kept_when_the_switch_is_flipped(gate):
    let_go = threading.Event()

    def slow(handler):
        let_go.wait(5)
        return "image/jpeg", pictures.jpeg(6)

    with Origin({"/slow.jpg": slow}) as origin:
        before, answers = set(gate.blobs()), []
        asking = threading.Thread(target=lambda: answers.append(gate.get(f"/image/download?url={contract.quoted(origin.url('/slow.jpg'))}")))
        asking.start()
        wait_until("it is fetched", lambda: origin.asked)
        gate.must("switch remote pass_through")
        let_go.set()
        asking.join()
        contract.is_error(answers[0], 403, "remote-not-stored")
        assert gate.query("SELECT count(*) FROM alias WHERE source = 'remote'") == [(0,)]
        wait_until("its bytes are gone", lambda: set(gate.blobs()) <= before, 30)


# --- over HTTP ---

def test_the_api_reads_and_flips(gate):
    before = api(gate, "GET").json()["switches"]
    assert [(one["name"], one["state"]) for one in before] == [("uploads", "open"), ("remote", "cache")]
    answer = api(gate, "POST", "/uploads", {"state": "closed", "message": "Later.", "reason": "test", "for": "1h", "who": "eve"})
    assert answer.status == 200 and answer.json()["who"] == "api:eve", answer
    assert is_refusal(gate.upload(pictures.jpeg(7)), "uploads-closed")["msg"] == "Later."
    assert api(gate, "GET", "/uploads").json()["state"] == "closed"
    assert api(gate, "PUT", "/uploads", {"state": "open"}).json()["state"] == "open"
    assert gate.upload(pictures.jpeg(7)).status == 201


@pytest.mark.parametrize("method,path,body,token,status", [
    ("GET", "", None, None, 401), ("GET", "", None, "wrong", 401), ("POST", "/uploads", {"state": "closed"}, TOKEN[:-1], 401),
    ("GET", "/nothing", None, TOKEN, 404), ("POST", "/nothing", {"state": "closed"}, TOKEN, 400), ("POST", "", {"state": "closed"}, TOKEN, 405),
    ("DELETE", "/uploads", None, TOKEN, 405), ("POST", "/uploads", {"state": "ajar"}, TOKEN, 400), ("POST", "/uploads", {}, TOKEN, 400),
    ("POST", "/uploads", [], TOKEN, 400), ("POST", "/uploads", {"state": 1}, TOKEN, 400), ("POST", "/uploads", {"state": "closed", "x": ""}, TOKEN, 400),
    ("POST", "/uploads", {"state": "closed", "for": "soon"}, TOKEN, 400), ("POST", "/uploads", {"state": "closed", "reason": "x" * 20_000}, TOKEN, 413),
])
def test_the_api_refuses(gate, method, path, body, token, status):
    answer = api(gate, method, path, body, token)
    assert answer.status == status and answer.json()["error"], answer
    assert state(gate, "uploads")["state"] == "open"
    assert TOKEN not in gate.log_file.read_text()


def test_the_api_is_off_without_a_token(new_gate):
    gate = new_gate(profile="lists-only")
    gate.configure("listen", admin_token="")
    gate.start()
    assert api(gate, "GET", token="").status == 404 and api(gate, "GET", token="x").status == 404


# --- by themselves ---

def test_too_many_refusals_close_uploads_and_tell_somebody(binaries, room):
    gate = contract.configured(binaries, room, attempts={"slow_after": 100, "close_after": 100})
    gate.config.write_text(gate.config.read_text() + '\n[close_uploads.flood]\nrule = "banned*"\nrefusals = 2\nwithin = "10m"\nmessage = "Closed for now."\n')
    hook, told = gate.folder / "hook", gate.folder / "told"
    hook.write_text(f"#!/bin/sh\ncat >> {told}\n")
    hook.chmod(0o755)
    gate.configure("alert", hook=str(hook))
    bad = [pictures.jpeg(20 + i) for i in range(4)]
    try:
        gate.start()
        gate.add_list("own/bad", "sha256", [hashlib.sha256(data).hexdigest() for data in bad])
        for data in bad[:2]:
            is_refusal(gate.upload(data), REFUSED)
        assert gate.upload(pictures.jpeg(30)).status == 201, "two are not more than two"
        is_refusal(gate.upload(bad[2]), REFUSED)
        assert is_refusal(gate.upload(pictures.jpeg(31)), "uploads-closed")["msg"] == "Closed for now."
        said = state(gate, "uploads")
        assert said["who"] == "portcullis" and "close_uploads.flood" in said["reason"]
        wait_until("the hook is told", lambda: told.exists() and "Uploads were closed" in told.read_text(), 20)
        gate.must("lockdown off")
        assert gate.upload(pictures.jpeg(31)).status == 201
    finally:
        gate.end()
