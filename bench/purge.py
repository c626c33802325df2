"""A million pictures of other sites are purged: how fast, in how much memory, and after a kill in the middle.

usage: purge.py BUILD [COUNT]

The database and a folder of small files are made first, which takes some minutes and 4 GB. No gate runs, so the command removes the
files as well.
"""
import contextlib
import hashlib
import json
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import pictures  # noqa: E402
from gate import Gate  # noqa: E402

BYTES = b"x" * 200
NOW = 1_790_000_000_000_000


def balanced(count):
    """As many PDQ hashes; half of the bits of each are set, as in those of pictures."""
    source, bits = random.Random(1), [True] * 128 + [False] * 128
    for _ in range(count):
        source.shuffle(bits)
        yield f"{sum(1 << i for i, bit in enumerate(bits) if bit):064x}"


def fill(gate, count):
    """`count` remote pictures, each its own, and a tenth as many uploads; what is written down of each is that of a real one."""
    facts, operations = gate.query("SELECT facts, operations FROM rendition")[0]
    with contextlib.closing(sqlite3.connect(gate.data / "portcullis.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        for number in range(count + count // 10):
            digest = hashlib.sha256(b"%d" % number).digest()
            is_remote = number < count
            folder = gate.data / "blobs" / digest.hex()[:2] / digest.hex()[2:4]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / digest.hex()).write_bytes(BYTES)
            database.execute("INSERT INTO blob VALUES (?, 1, 64, 64, NULL, 'image/jpeg', '', ?, ?)", (digest, len(BYTES), NOW))
            database.execute("INSERT INTO alias (alias, delete_token, blob, created, source, url) VALUES (?, 't', ?, ?, ?, ?)",
                             (f"{digest.hex()[:32]}.jpeg", digest, NOW, "remote" if is_remote else "upload",
                              f"https://far.example/{number}.jpg" if is_remote else None))
            database.execute("INSERT INTO rendition (original, operations, blob, facts) VALUES (?, ?, ?, ?)", (digest, operations, digest, facts))
        database.execute("COMMIT")


class Purging:
    """The command at work; its peak memory in MB and how long it took."""

    def __init__(self, gate):
        self.begun, self.peak = time.monotonic(), 0.0
        self.process = subprocess.Popen([gate.program, "purge", "federated", "--json", "--config", gate.config], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=gate.folder)

    def watch(self, until):
        while self.process.poll() is None and not until():
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
                self.peak = max([self.peak, *(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))])
            time.sleep(0.2)

    @property
    def seconds(self):
        return time.monotonic() - self.begun


def main():
    binaries, count = pathlib.Path(sys.argv[1]).resolve(), int((sys.argv[2:] or ["1000000"])[0])
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        gate = Gate(binaries, pathlib.Path(folder) / "gate", profile="lists-only").start()
        gate.store(pictures.jpeg(1, 640, 480))
        gate.stop()
        gate.add_list("csam/x", "pdq", balanced(100_000))
        fill(gate, count)
        left = lambda: gate.query("SELECT count(*) FROM alias WHERE source = 'remote'")[0][0]
        first = Purging(gate)
        while (now := left()) > count * 3 // 4:
            first.watch(lambda: left() <= count * 3 // 4)
        early = first.peak
        first.process.send_signal(signal.SIGKILL)
        first.process.communicate()
        killed_after, now = first.seconds, left()
        print(f"purge of {count:,} pictures, a list of 100,000 asked about each, {count // 10:,} uploads beside them")
        print(f"  until it was killed                {(count - now) / killed_after:8.0f}/s, {early:.0f} MB at most", flush=True)
        second = Purging(gate)
        second.watch(lambda: left() == 0)
        rows = second.seconds
        second.watch(lambda: False)
        out, error = second.process.communicate()
        assert second.process.returncode == 0, error
        said = json.loads(out.splitlines()[-1])
        assert said["purged"] == count and len(gate.blobs()) == count // 10 + 1, said
        print(f"  the rest, rows                     {now / rows:8.0f}/s, {second.peak:.0f} MB at most")
        print(f"  all, with the files removed        {count / (killed_after + second.seconds):8.0f}/s (>= 5000)")


main()
