"""Portcullis and pict-rs side by side: uploads, first thumbnails and reads a second, turn by turn, and their ratio.

usage: peers.py BUILD PICT_RS [ROUNDS]

Both get the same pictures from the same client over loopback. In each round both are asked, in turns that change with
the round, so that both see the same machine; what is printed is the median of the rounds, and the median of their ratios.
A busy machine moves all rates down, and the ratios less.
"""
import pathlib
import re
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import pict_rs  # noqa: E402
import pictures  # noqa: E402
import whole  # noqa: E402
import wire  # noqa: E402
from gate import Gate, wait_until  # noqa: E402

CLIENTS = 4
GATE_UPLOADS, PEER_UPLOADS = 48, 12  # a round; pict-rs is given fewer, it needs so much longer
READ_SECONDS = 3
# Bars of uploads by precision of the model; then our own floors, a second.
UPLOAD_BARS, THUMBNAIL_BAR = {"bf16": 30, "f32": 20}, 8
FLOORS = {"uploads": 60, "thumbnails": 80}


class Side:
    """One of the two: how it is asked, what it used, what came out of each round."""

    def __init__(self, name, server, cpu_seconds):
        self.name, self.server, self.cpu_seconds = name, server, cpu_seconds
        self.rates, self.cpu = {}, {}

    def request(self, method, target, headers=(), body=b""):
        with wire.Wire(self.server.media, 120) as connection:
            if body:
                headers = [*headers, ("Content-Length", len(body))]
            connection.send(wire.head(method, target, headers) + body)
            return connection.read()

    def upload(self, picture):
        content_type, body = wire.multipart([picture])
        answer = self.request("POST", "/image", [*wire.as_lemmy_relays(), ("Content-Type", content_type)], body)
        assert answer.status == 201, (self.name, answer)
        return answer.json()["files"][0]["file"]

    def thumbnail(self, alias):
        answer = self.request("GET", f"/image/process.webp?src={alias}&thumbnail=256")
        assert answer.status == 200 and answer.body[8:12] == b"WEBP", (self.name, answer)

    def timed(self, what, function, arguments):
        """Calls from CLIENTS threads until all is done; notes calls a second and CPU of each. Gives back what came."""
        came, failed, left = [], [], list(arguments)

        def client():
            while left and not failed:
                try:
                    came.append(function(left.pop()))
                except Exception as error:  # a thread's own would only be printed
                    failed.append(error)

        begin, cpu = time.monotonic(), self.cpu_seconds()
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        self.rates.setdefault(what, []).append(len(came) / (time.monotonic() - begin))
        self.cpu.setdefault(what, []).append((self.cpu_seconds() - cpu) / len(came))
        return came

    def read(self, alias):
        url = f"http://127.0.0.1:{self.server.media[1]}/image/original/{alias}"
        self.rates.setdefault("reads", []).append(whole.requests_per_second(url, READ_SECONDS))


def play(gate, peer, rounds):
    hundred_kb = whole.noise_png(100_000)
    read = {side: side.upload(hundred_kb) for side in (gate, peer)}
    for number in range(rounds):
        fresh = [pictures.jpeg(20_000 + number * GATE_UPLOADS + i, 1200, 1400, quality=85) for i in range(GATE_UPLOADS)]
        work = [(gate, fresh), (peer, fresh[:PEER_UPLOADS])]
        if number % 2:
            work.reverse()
        stored = {side: side.timed("uploads", side.upload, some) for side, some in work}
        for side, _ in work:
            side.timed("thumbnails", side.thumbnail, stored[side])
        for side, _ in work:
            side.read(read[side])
        print(f"  round {number + 1}: " + "; ".join(
            f"{what} {gate.rates[what][-1]:.1f} against {peer.rates[what][-1]:.1f}" for what in gate.rates), flush=True)


def report(gate, peer, version, precision):
    print(f"\n{'a second, median of the rounds':36} {'Portcullis':>10} {'pict-rs ' + version:>15} {'ratio':>8} {'bar':>8} {'floor':>8}")
    bars = {"uploads": UPLOAD_BARS[precision], "thumbnails": THUMBNAIL_BAR}
    names = {"uploads": f"uploads, 1200 x 1400 JPEG ({precision})", "thumbnails": "first thumbnails, 256 px WebP",
             "reads": "reads of 100 KB, 64 connections"}
    for what, name in names.items():
        ratios = [ours / theirs for ours, theirs in zip(gate.rates[what], peer.rates[what], strict=True)]
        bar = f"{bars[what]} x" if what in bars else ""
        print(f"{name:36} {statistics.median(gate.rates[what]):10.1f} {statistics.median(peer.rates[what]):15.1f} "
              f"{statistics.median(ratios):6.1f} x {bar:>8} {FLOORS.get(what, ''):>8}")
    print("CPU of each, all processes, ms")
    for what in ("uploads", "thumbnails"):
        ours, theirs = statistics.median(gate.cpu[what]), statistics.median(peer.cpu[what])
        print(f"{names[what]:36} {ours * 1000:10.1f} {theirs * 1000:15.1f} {theirs / ours:6.1f} x", flush=True)


def main(build, program, rounds=5):
    build = pathlib.Path(build).resolve()
    try:
        _, version = pict_rs.find(program)
    except pict_rs.Missing as problem:
        sys.exit(str(problem))
    precision = re.search(r'^precision\s*=\s*"(\w+)"', (build / "models/open_nsfw/model.toml").read_text(), re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server, other = Gate(build, folder / "gate"), pict_rs.PictRs(program, folder / "pict-rs")
        server.configure("decoder", jobs_per_worker=1_000_000)  # so that no process takes its CPU time with it
        try:
            server.start()
            other.start()
            wait_until("decoders are ready", lambda: server.metrics()["portcullis_decoders_ready"] > 0)
            gate = Side("Portcullis", server, lambda: whole.cpu_seconds([server.process.pid, *server.children()]))
            peer = Side("pict-rs", other, other.cpu_seconds)
            for side in (gate, peer):  # both have started all they start on first use
                side.thumbnail(side.upload(pictures.jpeg(19_999, 1200, 1400)))
            play(gate, peer, int(rounds))
            report(gate, peer, version, precision)
        finally:
            server.end()
            other.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
