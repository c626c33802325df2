"""The validator of a pict-rs that keeps its own: what it answers, and what it never tells.

With PICTRS=/path/to/pict-rs in the environment a real one asks it, too."""
import hashlib
import os
import re

import pictures
import pytest
import wire
from gate import wait_until
from pict_rs import PictRs

SECRET = "a-secret-for-tests-0123456789"
GOOD, BAD = pictures.jpeg(1), pictures.jpeg(666)


@pytest.fixture(scope="module")
def validator(gate, room):
    gate.stop()
    gate.use_profile("lists-only")
    gate.configure("validator", listen="127.0.0.1:0", secret=SECRET)
    gate.start()
    gate.add_list("csam/test", "sha256", [hashlib.sha256(BAD).hexdigest()])
    host, port = wait_until("it says where it listens", lambda: re.search(
        r"validate +http://([\d.]+):(\d+)/SECRET/validate", gate.out.read_text())).groups()
    return host, int(port)


def ask(gate, validator, data, path=f"/{SECRET}/validate", method="POST", headers=()):
    return gate.request(method, path, [("Content-Type", "image/jpeg"), *headers], data, address=validator)


def chunked(data, size=1000):
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("path", [f"/{SECRET}/validate", f"/{SECRET}/api/v1/scan/some-id", f"/{SECRET}/api/v1/scan/192.0.2.7"])
def test_a_picture_may_stay_or_not_whatever_its_framing(gate, validator, path):
    for data, status in ((GOOD, 200), (BAD, 400), (b"no picture", 400)):
        assert ask(gate, validator, data, path).status == status
        with wire.Wire(validator) as connection:
            connection.send(wire.head("POST", path, [("Content-Type", "image/jpeg"), ("Transfer-Encoding", "chunked")]) + chunked(data))
            assert connection.read().status == status


def test_Invariant1_nothing_of_it_is_kept_and_Invariant8_nothing_is_told(gate, validator):
    refused = ask(gate, validator, BAD)
    assert not gate.blobs() and not gate.query("SELECT alias FROM alias")
    for word in (b"csam", b"list", b"test", b"rule", b"known"):
        assert word not in refused.body, refused
    assert SECRET not in gate.log_file.read_text() + gate.out.read_text()


def test_verdicts_and_metrics_count(gate, validator):
    before, rows = gate.metrics(), len(gate.query("SELECT id FROM verdict"))
    ask(gate, validator, pictures.jpeg(7))
    after = gate.metrics()
    assert after["portcullis_validations_total"] == before["portcullis_validations_total"] + 1
    accepted = 'portcullis_uploads_total{result="accepted"}'
    assert after[accepted] == before[accepted] + 1
    assert len(gate.query("SELECT id FROM verdict")) == rows + 1


@pytest.mark.parametrize("method,path", [
    ("POST", "/validate"), ("POST", "/a-secret-for-tests-012345678X/validate"), ("POST", "/"), ("GET", f"/{SECRET}/validate"),
    ("POST", f"/{SECRET}/validate/"), ("POST", f"/{SECRET}/api/v1/scan/"), ("POST", "/image"), ("GET", "/healthz"), ("GET", "/metrics"),
    ("POST", f"/{SECRET}"), ("POST", f"/{SECRET}/../{SECRET}/validate")])
def test_anything_else_is_nothing(gate, validator, method, path):
    answer = ask(gate, validator, GOOD if method == "POST" else b"", path, method)
    assert (answer.status, answer.body) == (404, b"") and "Content-Type" not in answer.headers, answer


def test_what_no_request_may_be_says_nothing_either(gate, validator):
    with wire.Wire(validator) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        answer = connection.read()
    assert (answer.status, answer.body) == (400, b"")


def test_too_many_bytes_may_not_stay(gate, validator):
    large = 41 * 1024 * 1024
    with wire.Wire(validator) as connection:
        connection.send(wire.head("POST", f"/{SECRET}/validate", [("Content-Length", large)]) + bytes(65536))
        assert connection.read().status == 413


def test_half_a_picture_is_never_accepted(gate, validator):
    accepted = 'portcullis_uploads_total{result="accepted"}'
    before = gate.metrics()[accepted]
    with wire.Wire(validator) as connection:
        connection.send(wire.head("POST", f"/{SECRET}/validate", [("Content-Length", len(GOOD))]) + GOOD[:-10])
        connection.vanish()
    wait_until("its room is free again", lambda: gate.metrics()["portcullis_spool_bytes"] == 0)
    assert gate.metrics()[accepted] == before


def test_Invariant10_a_lockdown_holds_here_too(gate, validator):
    gate.must("lockdown on", "uploads")
    try:
        assert ask(gate, validator, pictures.jpeg(8)).status == 400
    finally:
        gate.must("lockdown off")
    assert ask(gate, validator, pictures.jpeg(8)).status == 200


@pytest.mark.parametrize("values,what", [({"listen": "127.0.0.1:0"}, "needs `secret`"), ({"listen": "127.0.0.1:0", "secret": "short"}, "16 to 128"),
                                         ({"listen": "localhost:1", "secret": SECRET}, "IP address")])
def test_a_config_that_would_open_it_to_all_is_refused(new_gate, values, what):
    gate = new_gate()
    gate.configure("validator", **values)
    done = gate.cli("serve")
    assert done.returncode != 0 and what in done.stderr and "short" not in done.stderr.replace("short)", ""), done.stderr


def test_it_is_off_unless_it_is_wanted(new_gate):
    gate = new_gate().start()
    assert "validate" not in gate.out.read_text()


@pytest.mark.skipif(not os.environ.get("PICTRS"), reason="PICTRS names no pict-rs")
def test_a_real_pict_rs_takes_what_may_stay_and_nothing_else(gate, validator, room):
    # Its own tools have written the file anew before it asks, so the list holds what it sends.
    pict_rs = PictRs(os.environ["PICTRS"], room / "validated",
                     environment={"PICTRS__MEDIA__EXTERNAL_VALIDATION": f"http://{validator[0]}:{validator[1]}/{SECRET}/validate"}).start()
    try:
        def upload(data):
            content_type, body = wire.multipart([data])
            return gate.request("POST", "/image", [("Content-Type", content_type)], body, address=pict_rs.media)

        assert upload(GOOD).status == 201
        gate.must("lockdown on", "uploads")
        refused = upload(pictures.jpeg(9))
        gate.must("lockdown off")
        assert (refused.status, refused.code) == (400, "failed-external-validation"), refused
        assert upload(pictures.jpeg(9)).status == 201
        asked = gate.metrics()["portcullis_validations_total"]
        gate.stop()
        assert upload(pictures.jpeg(10)).status == 500  # it fails closed
        gate.start()
        assert asked >= 3
    finally:
        pict_rs.end()
