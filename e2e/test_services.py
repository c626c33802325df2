"""Outside services: the gate asks imposters that the services' own clients are content with, and policy decides."""
import base64
import json
import os
import subprocess
import sys

import pictures
import pytest
from detection_services import ArachnidShield, Hma
from gate import REFUSED, wait_until

POLICY = """
[[signal]]
name = "known"
kind = "service"
service = "{service}"
required = true
[[rule]]
name = "known illegal"
when = {{ match = "known" }}
then = "refuse"
[[rule]]
name = "could not look"
when = {{ unanswered = "required" }}
then = "refuse"
[default]
then = "accept"
"""


@pytest.fixture
def hma():
    with Hma() as running:
        yield running


@pytest.fixture
def shield():
    with ArachnidShield() as running:
        yield running


def asking(new_gate, service, **options):
    """A gate, not yet started, whose policy is what this one service says."""
    gate = new_gate()
    gate.policy.write_text(POLICY.format(service=service))
    gate.configure("http", upload_timeout="3m")  # nothing here is about being late
    gate.configure(f"services.{service}", timeout="1m", **options)
    return gate


def asking_hma(new_gate, hma, **options):
    return asking(new_gate, "hma", type="hma", url=hma.url, **options)


def asking_shield(new_gate, shield, **options):
    gate = asking(new_gate, "shield", type="arachnid", url=shield.url, user=shield.USER, password_file="password",
                  **options)
    (gate.folder / "password").write_text(shield.PASSWORD + "\n")
    return gate


def verdicts(gate):
    """(rule, what the service said), the newest last."""
    return [(rule, json.loads(facts)["signals"]["known"]) for rule, facts in
            gate.query("SELECT rule, facts FROM verdict ORDER BY decided, rowid")]


def pdq_of(gate, data):
    """As the gate itself sees it; asks the service too."""
    file = gate.folder / "picture"
    file.write_bytes(data)
    return json.loads(gate.cli("scan", "--json", file).stdout)["pdq"][0]["hash"]


def test_a_picture_that_an_hma_knows_is_refused_and_only_hashes_left(new_gate, hma):
    gate = asking_hma(new_gate, hma).start()
    cat, dog = pictures.jpeg(1), pictures.jpeg(2)
    gate.store(cat)
    hma.banks[pdq_of(gate, dog)] = "CSAM"
    answer = gate.upload(dog)
    assert (answer.status, answer.json()["code"]) == (400, REFUSED)
    rule, said = verdicts(gate)[-1]
    assert (rule, said["answer"], said["exact"]) == ("known illegal", "match", False)
    assert "CSAM" in said["detail"] and "CSAM" not in answer.body.decode()
    assert {method for method, *_ in hma.asked} == {"GET"} and set(hma.bodies()) == {b""}
    for _, path, headers, _ in hma.asked:
        assert path.startswith("/m/lookup?signal=")
        assert not {"Cookie", "Authorization", "X-Forwarded-For"} & set(headers)


def test_a_picture_that_arachnid_shield_knows_is_refused_by_its_hash(new_gate, shield):
    gate = asking_shield(new_gate, shield).start()
    cat, dog = pictures.jpeg(3), pictures.png(4)
    gate.store(cat)
    shield.classes[base64.b64encode(bytes.fromhex(pdq_of(gate, dog))).decode()] = "csam"
    answer = gate.upload(dog)
    assert (answer.status, answer.json()["code"]) == (400, REFUSED)
    rule, said = verdicts(gate)[-1]
    assert (rule, said["scores"]) == ("known illegal", {"csam": 1, "harmful-abusive-material": 0, "other": 0})
    assert {path for _, path, _, _ in shield.asked} == {"/v1/pdq/"}
    assert not any(cat[:64] in body or dog[:64] in body for body in shield.bodies())


def test_arachnid_shield_gets_the_picture_itself_only_if_the_admin_says_so(new_gate, shield):
    gate = asking_shield(new_gate, shield, mode="media").start()
    cat, dog = pictures.jpeg(5), pictures.webp(6)
    shield.classes[dog] = "harmful-abusive-material"
    gate.store(cat)
    assert gate.upload(dog).json()["code"] == REFUSED
    assert [(path, headers["Content-Type"]) for _, path, headers, _ in shield.asked] == [
        ("/v1/media/", "image/jpeg"), ("/v1/media/", "image/webp")]
    assert shield.bodies() == [cat, dog]
    assert verdicts(gate)[-1][1]["exact"] is True


def test_Invariant3_a_service_that_is_down_lets_nothing_in_and_what_it_said_before_is_remembered(new_gate, hma):
    gate = asking_hma(new_gate, hma, failures=2, rest="1h").start()
    cat = pictures.jpeg(7)
    gate.store(cat)
    asked = len(hma.asked)
    hma.is_broken = True
    assert gate.upload(pictures.jpeg(8)).status != 201
    assert verdicts(gate)[-1][0] == "could not look"
    gate.store(cat)  # known: the service is not asked again
    assert len(hma.asked) > asked
    metrics = gate.metrics()
    assert metrics['portcullis_service_pictures_total{service="hma",result="unanswered"}'] == 1
    assert metrics['portcullis_service_pictures_total{service="hma",result="no_match"}'] == 1
    assert metrics['portcullis_service_breaker_open{service="hma"}'] == 0

    assert gate.upload(pictures.jpeg(9)).status != 201
    assert gate.metrics()['portcullis_service_breaker_open{service="hma"}'] == 1
    asked = len(hma.asked)
    hma.is_broken = False
    assert gate.upload(pictures.jpeg(10)).status != 201  # it rests
    assert len(hma.asked) == asked
    assert gate.metrics()['portcullis_service_held_back_total{service="hma",why="breaker"}'] == 1
    # A reload leaves the breaker as it is, unless something about the service has changed.
    gate.reload()
    assert gate.metrics()['portcullis_service_breaker_open{service="hma"}'] == 1
    gate.configure("services.hma", rest="1s")
    gate.reload()
    assert gate.metrics()['portcullis_service_breaker_open{service="hma"}'] == 0
    gate.store(pictures.jpeg(10))


def test_an_hma_whose_index_is_not_ready_is_unanswered(new_gate, hma):
    gate = asking_hma(new_gate, hma).start()
    hma.is_ready = False
    assert gate.upload(pictures.jpeg(11)).status != 201
    assert verdicts(gate)[-1][1]["detail"] == "hma: it failed (status 503)"
    hma.is_ready = True
    gate.store(pictures.jpeg(11))


def test_beyond_its_budget_a_service_is_not_asked(new_gate, hma):
    gate = asking_hma(new_gate, hma, per_minute=8).start()
    gate.store(pictures.jpeg(12))
    assert gate.upload(pictures.jpeg(13)).status != 201
    assert "per_minute" in verdicts(gate)[-1][1]["detail"]
    metrics = gate.metrics()
    assert metrics['portcullis_service_held_back_total{service="hma",why="budget"}'] == 1
    assert metrics['portcullis_service_requests_total{service="hma"}'] == 8 == len(hma.asked)


def test_check_says_whether_a_service_can_be_reached_and_who_looks_at_it(new_gate, hma, shield):
    gate = asking_hma(new_gate, hma)
    (gate.folder / "password").write_text(shield.PASSWORD)
    gate.configure("services.shield", type="arachnid", url=shield.url, user=shield.USER, password_file="password")
    done = gate.cli("check")
    assert "hma (hma, hashes sent to 127.0.0.1; rules: known illegal)" in done.stdout, done.stdout
    assert "shield (arachnid, hashes sent to 127.0.0.1; rules: none)" in done.stdout
    assert 'service "shield" is configured, but no rule' in done.stdout
    assert [path for _, path, _, _ in hma.asked] == ["/status"] and shield.asked == []
    hma.is_ready = False
    (gate.folder / "password").unlink()
    done = gate.cli("check")
    assert done.returncode == 1
    assert "rules: known illegal): status 503" in done.stdout, done.stdout
    assert "service shield: " in done.stdout and "password" in done.stdout


def test_credentials_that_cannot_be_read_close_uploads_and_say_so(new_gate, shield):
    gate = asking_shield(new_gate, shield)
    (gate.folder / "password").unlink()
    gate.start()
    assert gate.upload(pictures.jpeg(14)).status != 201
    assert shield.asked == []
    assert any("service shield" in json.dumps(entry) for entry in gate.log())
    (gate.folder / "password").write_text(shield.PASSWORD)
    gate.reload()
    gate.store(pictures.jpeg(14))


def test_Invariant11_credentials_are_in_no_log_metric_answer_or_file(new_gate, shield):
    gate = asking_shield(new_gate, shield).start()
    gate.store(pictures.jpeg(15))
    shield.is_broken = True
    gate.upload(pictures.jpeg(16))
    shield.is_broken = False
    (gate.folder / "password").write_text("another wrong secret")
    gate.reload()
    gate.upload(pictures.jpeg(17))
    gate.stop()
    for secret in (shield.PASSWORD, "another wrong secret"):
        for form in (secret, base64.b64encode(f"{shield.USER}:{secret}".encode()).decode()):
            assert form not in gate.log_file.read_text()
            assert form not in gate.out.read_text()
            assert gate.holding(form.encode()) == []


def test_arachnid_shield_s_own_client_is_content_with_the_imposter(shield):
    known, unknown, picture = base64.b64encode(b"\x01" * 32).decode(), base64.b64encode(b"\x02" * 32).decode(), b"bytes"
    shield.classes = {known: "csam", picture: "harmful-abusive-material"}
    script = f"""
from arachnid_shield_sdk import ArachnidShield
from arachnid_shield_sdk.models import ScanMediaFromPdq
client = ArachnidShield({shield.USER!r}, {shield.PASSWORD!r})
scanned = client.scan_pdq_hashes(ScanMediaFromPdq([{known!r}, {unknown!r}])).scanned_hashes
print(scanned[{known!r}].matches_known_media, scanned[{unknown!r}].matches_known_media)
for contents in ({picture!r}, b"others"):
    media = client.scan_media_from_bytes(contents, "image/png")
    print(media.matches_known_media, media.classification.value, media.size_bytes)
"""
    # Its address comes from the environment, which it reads when it is imported.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "ARACHNID_SHIELD_URL": shield.url})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == [
        "True False", "True harmful-abusive-material 5", "False no-known-match 6"]
