"""The gate is killed with SIGKILL again and again while it stores, deletes and sweeps; nothing promised is ever lost."""
import hashlib
import random
import re
import threading

import pictures
import wire
from gate import wait_until

SEED = 20_231
PICTURES = 300  # so many that most uploads make a new blob
KNOWN = re.compile(r"portcullis\.sqlite(-wal|-shm)?|policy\.toml|serve\.lock|lists/[^/]+\.list")
BLOB = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")


class Ledger:
    """What clients were told. Shared by their threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stored = {}     # alias: (picture, delete token), answered 201 and nobody asked to delete it
        self.deleting = {}   # alias: picture, deletion asked for and not answered: may be there or not
        self.deleted = set()
        self.uploads = 0     # asked for, answered or not

    def take_one(self, chance):
        with self.lock:
            if len(self.stored) < 10:
                return None
            alias = chance.choice(sorted(self.stored))
            picture, token = self.stored.pop(alias)
            self.deleting[alias] = picture
            return alias, token

    def settled(self, alias):
        with self.lock:
            self.deleting.pop(alias)
            self.deleted.add(alias)


def client(gate, ledger, chance, originals, stop):
    """Uploads and deletes until the gate is gone."""
    try:
        with wire.Wire(gate.media, timeout=20) as connection:
            while not stop.is_set():
                victim = ledger.take_one(chance) if chance.random() < 0.4 else None
                if victim:
                    connection.send(wire.head("DELETE", f"/image/delete/{victim[1]}/{victim[0]}"))
                    answer = connection.read()
                    assert answer.status == 204, answer
                    ledger.settled(victim[0])
                    continue
                picture = chance.randrange(len(originals))
                content_type, body = wire.multipart([originals[picture]])
                with ledger.lock:
                    ledger.uploads += 1
                connection.send(wire.head("POST", "/image", [("Content-Type", content_type), ("Content-Length", len(body))]) + body)
                answer = connection.read()
                assert answer.status == 201, answer
                file = answer.json()["files"][0]
                with ledger.lock:
                    ledger.stored[file["file"]] = (picture, file["delete_token"])
    except (OSError, wire.Gone):
        pass  # killed in the middle


def check(gate, ledger, references):
    """What must hold after any restart. Gives the blobs that no alias needs."""
    with wire.Wire(gate.media) as connection:
        def get(alias):
            connection.send(wire.head("GET", f"/image/original/{alias}"))
            answer = connection.read()
            return answer.body if answer.status == 200 else answer.status

        for alias, (picture, _) in ledger.stored.items():
            assert get(alias) == references[picture], f"{alias} was answered 201"
        for alias in ledger.deleted:
            assert get(alias) == 404, f"{alias} was deleted"
        for alias, picture in ledger.deleting.items():
            assert get(alias) in (404, references[picture]), alias

    blobs = set()
    for name in gate.files():
        blob = BLOB.fullmatch(name)
        assert blob or KNOWN.fullmatch(name), f"{name} was left under the data folder"
        if blob:
            assert hashlib.sha256((gate.data / name).read_bytes()).hexdigest() == blob[3], name
            blobs.add(blob[3])
    rows = {alias: blob if isinstance(blob, str) else blob.hex() for alias, blob in gate.query("SELECT alias, blob FROM alias")}
    assert set(rows.values()) <= blobs, "an alias without its blob"
    assert blobs <= {hashlib.sha256(r).hexdigest() for r in references}, "a blob that is no rendition of an upload"
    assert set(ledger.stored) <= set(rows) and not ledger.deleted & set(rows)
    assert len(rows) <= ledger.uploads - len(ledger.deleted), "nothing is accepted twice"
    return blobs - set(rows.values())


def run(gate, calm_gate, kills, chance):
    originals = [pictures.tiny(i) for i in range(PICTURES)]
    calm_gate.start()  # one that nobody kills shows what each picture becomes
    references = [calm_gate.fetch(calm_gate.store(data)["file"]) for data in originals]
    calm_gate.stop()
    ledger = Ledger()
    for _ in range(kills):
        if chance.random() < 0.2:  # while it starts, and clears what the last kill left
            gate.spawn()
            time_of_kill(chance.uniform(0.0, 1.0))
            gate.kill()
        gate.start()
        check(gate, ledger, references)
        stop = threading.Event()
        threads = [threading.Thread(target=client, args=(gate, ledger, random.Random(chance.random()), originals, stop))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        time_of_kill(chance.uniform(0.05, 0.6))
        gate.kill()
        stop.set()
        for thread in threads:
            thread.join()
    gate.start()
    check(gate, ledger, references)
    wait_until("the sweeper is done", lambda: not check(gate, ledger, references), 30)
    return ledger


def time_of_kill(seconds):
    """The one place where a test lets time pass: the moment of the kill is what is tried out."""
    threading.Event().wait(seconds)


def with_traffic(ledger, kills):
    assert len(ledger.stored) + len(ledger.deleted) > 2 * kills, "there was traffic between the kills"
    assert len(ledger.deleted) > kills // 2, "and there were deletions"


def test_invariant_5_forty_kills_without_the_classifier(new_gate):
    gate = new_gate(profile="lists-only")
    gate.configure("decoder", workers=1)  # is up sooner
    with_traffic(run(gate, new_gate(profile="lists-only"), 40, random.Random(SEED)), 40)


def test_invariant_5_fifteen_kills_with_every_signal(new_gate):
    with_traffic(run(new_gate(), new_gate(), 15, random.Random(SEED + 1)), 15)
