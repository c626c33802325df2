"""What is kept sealed, who may open it and when it goes; the audit chain; what is stored, judged again."""
import hashlib
import json
import re
import signal
import sqlite3
import subprocess

import pictures
import pytest
import wire
from gate import REFUSED, wait_until

POLICY = """
[[signal]]
name = "known-illegal"
kind = "list"
lists = ["csam/*"]
required = true
[[signal]]
name = "suspicious"
kind = "list"
lists = ["look/*"]
[[rule]]
name = "known illegal"
when = { match = "known-illegal" }
then = "refuse"
preserve = true
report = true
alert = true
[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"
[[rule]]
name = "look first"
when = { match = "suspicious" }
then = "hold"
[default]
then = "accept"
"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_keys(gate):
    """Both pairs, the private halves outside of the data folder; what `keygen` printed goes into the config."""
    out = gate.folder / "keys"
    config = gate.must("evidence keygen", "--out", out)
    keys = dict(re.findall(r'(\w+) = "(.*)"', config))
    gate.configure("evidence", **keys)
    return out.with_suffix(".review"), out.with_suffix(".evidence")


@pytest.fixture
def keeping(new_gate):
    gate = new_gate()
    gate.policy.write_text(POLICY)
    gate.review, gate.evidence = make_keys(gate)
    return gate


def upload(gate, data, account=2):
    return gate.post([data], [*wire.as_lemmy_relays(), ("Authorization", wire.session_of(account))])


def kept(gate, *options):
    return [json.loads(line) for line in gate.must("evidence list", "--json", *options).splitlines()]


def entries(gate):
    return [json.loads(line) for line in gate.must("audit list", "--json").splitlines()]


def test_a_known_picture_is_sealed_and_only_the_evidence_key_opens_it(keeping, tmp_path):
    bad = pictures.jpeg(1)
    hook = keeping.folder / "hook"
    hook.write_text(f"#!/bin/sh\ncat >> {keeping.folder}/alerts\n")
    hook.chmod(0o700)
    keeping.configure("alert", hook=str(hook))
    keeping.start()
    keeping.add_list("csam/test", "sha256", [sha256(bad)])
    answer = upload(keeping, bad)
    assert (answer.status, answer.json()["code"]) == (400, REFUSED)
    [one] = kept(keeping)
    assert (one["kept"], one["rule"], one["report_due"], one["original"]) == ("preserved", "known illegal", True, sha256(bad))
    assert not keeping.holding(bad[100:200]), "nothing of it lies open on the disk"

    shown = json.loads(keeping.must("evidence show", one["id"], "--json"))
    assert shown["attempts_made"][0]["account"] == "2" and shown["attempts_made"][0]["context"] == "sealed"
    assert shown["attempts_made"][0]["reason"].startswith('Rule "known illegal" fired: known-illegal has an exact match')
    shown = json.loads(keeping.must("evidence show", one["id"], "--json", "--key", keeping.evidence))
    assert shown["attempts_made"][0]["context"]["file_name"]

    refused = keeping.cli("evidence export", one["id"], "--key", keeping.review, "--out", tmp_path)
    assert refused.returncode == 1 and "does not open it" in refused.stderr
    keeping.must("evidence export", one["id"], "--key", keeping.evidence, "--out", tmp_path, "--why", "report 7")
    assert (tmp_path / f"{one['id']}.original").read_bytes() == bad
    facts = json.loads((tmp_path / f"{one['id']}.json").read_text())
    assert facts["sealed_bytes_are_the_original"] and facts["attempts_made"][0]["context"]["account"] == "2"
    assert "report 7" in entries(keeping)[-1]["details"]
    alerts = wait_until("the hook is told", lambda: (keeping.folder / "alerts").exists() and
                        [a for a in map(json.loads, (keeping.folder / "alerts").read_text().splitlines()) if a["what"] == "verdict"])
    assert "known illegal" in alerts[0]["text"]


def test_nothing_preserved_goes_before_its_time(keeping):
    bad = pictures.jpeg(2)
    keeping.start()
    keeping.add_list("csam/test", "sha256", [sha256(bad)])
    upload(keeping, bad)
    [one] = kept(keeping)
    for command in (["evidence destroy", one["id"]], ["evidence release", one["id"]]):
        done = keeping.cli(*command)
        assert done.returncode == 1 and kept(keeping) == [one], done.stdout
    assert "must be kept until" in keeping.cli("evidence destroy", one["id"]).stderr
    assert "say why" in keeping.cli("evidence legal-hold", one["id"]).stderr
    keeping.must("evidence legal-hold", one["id"], "--why", "order 12")
    assert kept(keeping)[0]["legal_hold"] == "order 12"
    assert "order 12" in keeping.cli("evidence destroy", one["id"]).stderr
    keeping.must("evidence legal-hold", one["id"], "--end")
    assert keeping.cli("evidence show", "nothing").returncode == 1


def test_a_held_picture_is_let_in_once_a_moderator_released_it(keeping, tmp_path):
    picture = pictures.jpeg(3)
    keeping.start()
    keeping.add_list("look/test", "sha256", [sha256(picture)])
    answer = upload(keeping, picture)
    assert (answer.status, answer.json()["code"]) == (400, "held-for-review")
    [one] = kept(keeping)
    assert one["kept"] == "held"
    keeping.must("evidence export", one["id"], "--key", keeping.review, "--out", tmp_path)
    assert (tmp_path / f"{one['id']}.original").read_bytes() == picture
    keeping.must("evidence release", one["id"], "--why", "a cat")
    assert kept(keeping) == [] and kept(keeping, "--all")[0]["state"] == "released"
    assert not [f for f in keeping.files() if f.startswith("evidence/")]


def test_a_held_picture_can_be_made_evidence(keeping):
    picture = pictures.jpeg(4)
    keeping.start()
    keeping.add_list("look/test", "sha256", [sha256(picture)])
    upload(keeping, picture)
    [one] = kept(keeping)
    keeping.must("evidence preserve", one["id"], "--why", "seen")
    assert kept(keeping)[0]["kept"] == "preserved"
    opened = keeping.cli("evidence export", one["id"], "--key", keeping.review, "--out", keeping.folder / "x")
    assert opened.returncode == 1
    keeping.must("evidence export", one["id"], "--key", keeping.evidence, "--out", keeping.folder / "x")


def test_what_a_rule_bans_cannot_come_again_nor_its_copies(keeping):
    bad = pictures.jpeg(13, quality=90)
    policy = POLICY.replace("report = true", "report = true\nban_hash = true")
    keeping.policy.write_text(policy.replace("[default]", """[[signal]]
name = "banned"
kind = "list"
lists = ["banned"]
[[rule]]
name = "banned"
when = { match = "banned" }
then = "refuse"
[default]"""))
    keeping.start()
    keeping.add_list("csam/test", "sha256", [sha256(bad)])
    assert upload(keeping, bad).json()["code"] == REFUSED
    [ban] = [one for one in json.loads(keeping.must("hashlist list", "--json")) if one["name"] == "banned"]
    assert ban["entries"] >= 1
    assert [e["subject"] for e in entries(keeping) if e["action"] == "ban"] == [f"sha256:{sha256(bad)}"]
    keeping.remove_list("csam/test")
    wait_until("it is known by its own ban", lambda: upload(keeping, bad, account=3).status == 400, 5)
    upload(keeping, bad, account=4)
    assert len([e for e in entries(keeping) if e["action"] == "ban"]) == 1, "banned once"


def test_private_keys_are_never_where_the_server_is(keeping):
    inside = keeping.cli("evidence keygen", "--out", keeping.data / "key")
    assert inside.returncode == 1 and "inside the data folder" in inside.stderr
    piped = keeping.cli("evidence keygen")
    assert piped.returncode == 1 and "terminal only" in piped.stderr and "private-" not in piped.stdout
    secret = keeping.evidence.read_text().splitlines()[-1]
    assert keeping.evidence.stat().st_mode & 0o077 == 0
    assert not keeping.holding(secret.encode()[20:])
    again = keeping.cli("evidence keygen", "--out", keeping.folder / "keys")
    assert again.returncode == 1 and keeping.evidence.read_text().splitlines()[-1] == secret, "keys are never overwritten"
    keeping.configure("evidence", evidence_key=secret)
    refused = keeping.cli("check")
    assert refused.returncode == 1 and "private key" in refused.stdout and secret[20:] not in refused.stdout


def test_check_says_when_rules_want_kept_what_cannot_be(new_gate):
    gate = new_gate()
    gate.policy.write_text(POLICY)
    done = gate.cli("check")
    assert done.returncode == 0, "nothing is broken"
    assert "rules that preserve" in done.stdout and "rules that hold" in done.stdout and "keygen" in done.stdout
    bad = pictures.jpeg(5)
    gate.start()
    gate.add_list("csam/test", "sha256", [sha256(bad)])
    assert upload(gate, bad).json()["code"] == REFUSED, "without a key it is refused all the same"
    assert gate.metrics()['portcullis_kept_total{result="not_kept"}'] == 1
    assert gate.metrics()["portcullis_alerts_total"] >= 1


def tamper(gate, sql):
    database = sqlite3.connect(gate.data / "portcullis.sqlite")
    with database:
        database.execute(sql)
    database.close()


def test_Invariant12_the_audit_chain_shows_what_was_changed_missing_or_cut_off(keeping):
    bad = pictures.jpeg(6)
    keeping.start()
    keeping.add_list("csam/test", "sha256", [sha256(bad)])
    upload(keeping, bad)
    keeping.must("lockdown", "on")
    keeping.must("lockdown", "off")
    actions = [entry["action"] for entry in entries(keeping)]
    assert "policy changed" in actions and "verdict refuse" in actions and "evidence preserved" in actions
    assert actions[-4:] == ["switch closed", "switch pass_through", "switch open", "switch default"]
    assert "none changed" in keeping.must("audit verify")
    head = keeping.must("audit head").strip()
    assert "goes on from the head" in keeping.must("audit verify", "--head", head)
    assert any(e["what"] == "audit head" for e in keeping.log()), "the log has it too"
    keeping.stop()

    def verify(*options):
        done = keeping.cli("audit verify", "--json", *options)
        return done.returncode, json.loads(done.stdout)["why"]

    last = int(head.split(":")[0])
    before = (keeping.data / "portcullis.sqlite").read_bytes()
    for sql, said, options in (
            ("UPDATE audit SET details = '{}' WHERE sequence = 2", "entry 2", []),
            ("DELETE FROM audit WHERE sequence = 2", "entry 2", []),
            (f"DELETE FROM audit WHERE sequence = {last}", "cut off", ["--head", head])):
        tamper(keeping, sql)
        code, why = verify(*options)
        assert code == 1 and said in why, (sql, why)
        for suffix in ("-wal", "-shm"):
            (keeping.data / f"portcullis.sqlite{suffix}").unlink(missing_ok=True)
        (keeping.data / "portcullis.sqlite").write_bytes(before)
    assert verify("--head", head) == (0, "")
    assert keeping.cli("audit verify", "--head", "rubbish").returncode == 1


def test_what_is_stored_is_judged_again_and_hits_are_sealed_and_gone(keeping):
    good, known, looked_at = pictures.jpeg(7), pictures.jpeg(8), pictures.jpeg(9)
    keeping.start()
    stored = {name: keeping.store(data)["file"] for name, data in
              (("good", good), ("known", known), ("looked at", looked_at))}
    small = f"/image/process.webp?src={stored['known']}&thumbnail=64"
    assert keeping.get(small, wire.as_lemmy_relays()).status == 200
    keeping.fetch(stored["known"])  # hot in memory
    assert keeping.cli("rescan", "--rate", "0").stdout.startswith("3 pictures judged, 0 taken off")
    keeping.add_list("csam/late", "md5", [hashlib.md5(known).hexdigest()])
    pdq = json.loads(keeping.must("scan", "-", "--json", input=pictures.jpeg(9, quality=60), text=False))["pdq"][0]["hash"]
    keeping.add_list("look/late", "pdq", [pdq])

    dry = keeping.must("rescan", "--rate", "0", "--dry-run")
    assert "2 would be taken off" in dry and kept(keeping) == []
    done = keeping.must("rescan", "--rate", "0", "--json")
    assert json.loads(done.splitlines()[-1]) == {"judged": 3, "found": 2, "not_judged": 0}
    keeping.fetch(stored["good"])
    for name in ("known", "looked at"):
        wait_until("it is gone", lambda: keeping.get(f"/image/original/{stored[name]}", wire.as_lemmy_relays()).status == 410, 5)
    assert keeping.get(small, wire.as_lemmy_relays()).status == 410
    assert {one["rule"]: one["kept"] for one in kept(keeping)} == {"known illegal": "preserved", "look first": "held"}
    [held] = [one for one in kept(keeping) if one["kept"] == "held"]
    keeping.must("evidence export", held["id"], "--key", keeping.review, "--out", keeping.folder / "out")
    assert (keeping.folder / "out" / f"{held['id']}.original").read_bytes()[:2] == b"\xff\xd8"
    assert [e["action"] for e in entries(keeping)].count("unpublish") == 2
    assert keeping.must("rescan", "--rate", "0").startswith("1 pictures judged, 0 taken off")


def test_a_rescan_goes_on_after_a_kill(keeping):
    keeping.start()
    for seed in range(12):
        keeping.store(pictures.jpeg(20 + seed, 64, 48))
    keeping.stop()
    line = [str(keeping.program), "rescan", "--rate", "4", "--config", str(keeping.config)]
    done = 0
    for _ in range(2):
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done = wait_until("it is further than before", lambda: max(
            (n for [n] in keeping.query("SELECT done FROM job") if n > done), default=0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert keeping.must("rescan", "--rate", "0").startswith(f"{12 - done} pictures judged")
    assert keeping.query("SELECT count(*) FROM job") == [(0,)]


def test_without_keys_a_rescan_does_not_begin(new_gate):
    gate = new_gate()
    done = gate.cli("rescan")
    assert done.returncode == 1 and "keygen" in done.stderr


def test_a_changed_policy_says_what_it_would_have_done(keeping, tmp_path):
    bad = pictures.jpeg(10)
    keeping.start()
    keeping.add_list("csam/test", "sha256", [sha256(bad)])
    upload(keeping, bad)
    keeping.store(pictures.jpeg(11))
    assert keeping.cli("policy replay").returncode == 0
    milder = tmp_path / "milder.toml"
    milder.write_text(POLICY.replace('then = "refuse"\npreserve = true', 'then = "hold"', 1))
    done = keeping.cli("policy replay", "--policy", milder)
    assert done.returncode == 3, done.stderr
    assert "refuse (known illegal) preserve report" in done.stdout and "1 of 2 recorded verdicts would change" in done.stdout
    one = json.loads(keeping.cli("policy replay", "--policy", milder, "--json").stdout)
    assert one["would_be"].startswith("hold (known illegal)")
    broken = tmp_path / "broken.toml"
    broken.write_text("[default]\nthen = 1\n")
    assert "broken.toml:2:8" in keeping.cli("policy replay", "--policy", broken).stderr


def test_policy_test_shows_facts_and_the_rule(keeping, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(pictures.jpeg(12))
    (tmp_path / "list").write_text(sha256(bad.read_bytes()) + "\n")
    keeping.must("hashlist add", "csam/test", tmp_path / "list", "--kind", "sha256")
    done = keeping.cli("policy test", bad)
    assert done.returncode == 1
    assert re.search(r"rule +known illegal", done.stdout) and re.search(r"signal known-illegal +match, exact", done.stdout)
