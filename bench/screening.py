"""What screening costs with long lists, and what the timing of a refusal tells.

usage: screening.py BUILD

CPU times are of the gate and its decoders together.
"""
import hashlib
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import pictures  # noqa: E402
import wire  # noqa: E402
from gate import Gate  # noqa: E402
from whole import Cpu  # noqa: E402

ENTRIES = 100_000
REFUSALS = 12  # of each signal; every one takes a whole second


def long_lists(gate):
    """Lists of SHA-256 and of PDQ that nothing is on."""
    source = random.Random(1)
    gate.add_list("csam/exact", "sha256", (f"{source.getrandbits(256):064x}" for _ in range(ENTRIES)))
    halves = [True] * 128 + [False] * 128

    def pdq():
        source.shuffle(halves)
        return f"{sum(1 << i for i, bit in enumerate(halves) if bit):064x}"

    gate.add_list("csam/near", "pdq", (pdq() for _ in range(ENTRIES)))


def milliseconds_each(gate, files):
    with Cpu(gate) as cpu:
        for data in files:
            gate.store(data)
    return 1000 * cpu.used / len(files)


def costs(gate):
    print(f"open_nsfw and two lists of {ENTRIES:,} entries {'CPU':>16}")
    large = [pictures.jpeg(300 + i, 4000, 3000, quality=88) for i in range(8)]
    gate.store(pictures.jpeg(299, 4000, 3000))
    print(f"  {'upload of a 12 MP JPEG':44} {milliseconds_each(gate, large):8.1f} ms", flush=True)
    small = pictures.jpeg(298, 1200, 1400)
    gate.store(small)
    known = milliseconds_each(gate, [small] * 200)
    print(f"  {'upload of a known, accepted original, all of it':44} {known:8.2f} ms", flush=True)


POLICY = """
[[signal]]
name = "exact"
kind = "list"
lists = ["exact"]
[[signal]]
name = "near"
kind = "list"
lists = ["near"]
[[signal]]
name = "nsfw"
kind = "classifier"
model = "open_nsfw"
required = true
[[rule]]
name = "could not look"
when = {{ unanswered = "nsfw" }}
then = "refuse"
[[rule]]
name = "the rule"
when = {when}
then = "refuse"
[default]
then = "accept"
"""


def refusal_times(gate):
    """How long refusals take by what refused, with the same kind of picture."""
    print(f"time of a refusal, {REFUSALS} each {'least':>19} {'median':>9} {'most':>9}")
    files = [pictures.jpeg(400 + i, 1200, 1400) for i in range(REFUSALS)]
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    (gate.folder / "pictures").mkdir(exist_ok=True)
    for i, data in enumerate(files):
        (gate.folder / "pictures" / f"{i:02}.jpg").write_bytes(data)
    scanned = gate.must("scan", gate.folder / "pictures", "--json").splitlines()
    pdqs = [json.loads(line)["pdq"][0]["hash"] for line in scanned]
    gate.add_list("exact", "sha256", digests)
    gate.add_list("near", "pdq", pdqs)
    for name, when in (("exact list", '{ match = "exact" }'), ("near list", '{ match = "near" }'),
                       ("classifier", '{ score = "nsfw.nsfw", at_least = 0.0 }')):
        gate.policy.write_text(POLICY.format(when=when))
        gate.reload()
        times = []
        for data in files:
            begin = time.monotonic()
            answer = gate.post([data], wire.as_lemmy_relays())
            times.append(time.monotonic() - begin)
            assert answer.status == 400, answer
        print(f"  {name:34} {min(times):8.3f} s {statistics.median(times):7.3f} s {max(times):7.3f} s", flush=True)


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        gate = Gate(binaries, pathlib.Path(folder) / "gate").start()
        try:
            long_lists(gate)
            costs(gate)
        finally:
            gate.end()
        gate = Gate(binaries, pathlib.Path(folder) / "second")
        gate.configure("media", refusal_step="1s")
        gate.configure("attempts", slow_after=1000, close_after=1000)
        gate.start()
        try:
            refusal_times(gate)
        finally:
            gate.end()


if __name__ == "__main__":
    main()
