"""The running gate: stored pictures against nginx, thumbnails against vipsthumbnail, screened uploads against their parts.

usage: whole.py BUILD [SECONDS]

Needs wrk, nginx and vipsthumbnail. CPU times are of the gate and its decoders together.
"""
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import numpy  # noqa: E402
import pictures  # noqa: E402
from gate import Gate, wait_until  # noqa: E402

ROUNDS = 3
NGINX = """daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type image/png;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
  scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port} reuseport; root {folder}; }} }}
"""


def noise_png(size):
    """A PNG of about `size` bytes: noise does not compress."""
    side = max(8, int((size / 3) ** 0.5))
    return pictures.encode(pictures.Image.fromarray(
        numpy.random.default_rng(size).integers(0, 256, (side, side, 3), dtype="uint8")), "PNG")


def requests_per_second(url, seconds):
    said = subprocess.run(["wrk", "-t2", "-c64", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return float(re.search(r"Requests/sec: +([\d.]+)", said)[1])


def compare(name, gate, target, folder, port, seconds):
    """The gate's answer against nginx serving the same bytes, turn by turn, so that both see the same machine."""
    answer = gate.get(target)
    assert answer.status == 200, answer
    (folder / "picture.png").write_bytes(answer.body)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(requests_per_second(f"http://127.0.0.1:{gate.media[1]}{target}", seconds))
        theirs.append(requests_per_second(f"http://127.0.0.1:{port}/picture.png", seconds))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"  {name:34} {a:8.0f}/s {b:8.0f}/s {a / b:7.2f}", flush=True)


def serving(gate, folder, seconds):
    port = 18_000 + os.getpid() % 10_000
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        print(f"{'stored original, GET':36} {'gate':>10} {'nginx':>10} {'ratio':>7}")
        for name, size in (("1 KB", 1_000), ("100 KB", 100_000), ("2 MB", 2_000_000)):
            alias = gate.store(noise_png(size))["file"]
            compare(name, gate, f"/image/original/{alias}", folder, port, seconds)
        print("stored variant, GET")
        alias = gate.store(pictures.jpeg(77, 1200, 1400))["file"]
        for side in (64, 1024):
            target = f"/image/process.webp?src={alias}&thumbnail={side}"
            compare(f"{len(gate.get(target).body) // 1000} KB", gate, target, folder, port, seconds)
    finally:
        nginx.terminate()
        nginx.wait()


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Cpu:
    """CPU seconds of the gate and its decoders, or of programs that were run meanwhile."""

    def __init__(self, gate=None):
        self.gate = gate

    def now(self):
        if self.gate:
            return cpu_seconds([self.gate.process.pid, *self.gate.children()])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def __enter__(self):
        self.begin, self.clock = self.now(), time.monotonic()
        return self

    def __exit__(self, *_):
        self.used, self.took = self.now() - self.begin, time.monotonic() - self.clock


def vipsthumbnail(files, size, output):
    with Cpu() as cpu:
        for file in files:
            subprocess.run(["vipsthumbnail", "--vips-concurrency=1", f"--size={size}>", "-o", str(output), str(file)], check=True)
    return cpu.used / len(files)


def vips_alone(files, size, output, folder):
    """CPU of one file less that of the start of the program."""
    tiny = folder / "tiny.jpg"
    tiny.write_bytes(pictures.jpeg(1, 16, 16))
    return vipsthumbnail(files, size, output) - vipsthumbnail([tiny] * 10, size, output)


def at_once(work, clients):
    left = list(work)

    def client():
        while left:
            left.pop()()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def thumbnails(gate, folder, name, width, height, count):
    """First requests of thumbnails, each of another picture."""
    data = [pictures.jpeg(5000 + i, width, height, quality=85) for i in range(count)]
    aliases = [gate.store(one)["file"] for one in data]
    files = []
    for i, alias in enumerate(aliases):
        files.append(folder / f"{i}.jpg")
        files[-1].write_bytes(gate.fetch(alias))

    def ask(alias):
        answer = gate.get(f"/image/process.webp?src={alias}&thumbnail=256")
        assert answer.status == 200, answer

    with Cpu(gate) as cpu:
        at_once([lambda alias=alias: ask(alias) for alias in aliases], 4)
    alone = vips_alone(files[:10], 256, folder / "thumbnail.webp[Q=90]", folder)
    ours = cpu.used / count
    print(f"{name:36} {count / cpu.took:8.1f}/s, {ours * 1000:.1f} ms CPU each; vipsthumbnail less its start "
          f"{alone * 1000:.1f} ms, ratio {ours / alone:.2f}", flush=True)


def benched(build, room, name):
    """CPU seconds of one run, from the room's own benchmark."""
    said = subprocess.run([build / f"{room}_bench", f"--benchmark_filter={name}", "--benchmark_format=json"],
                          capture_output=True, text=True, check=True).stdout
    row = json.loads(said)["benchmarks"][0]
    return row["cpu_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[row["time_unit"]]


def uploads(gate, build, folder, count=120, clients=4):
    data = [pictures.jpeg(1000 + i, 1200, 1400, quality=85) for i in range(count)]
    gate.store(pictures.jpeg(999, 1200, 1400))
    times = []

    def send(one):
        start = time.monotonic()
        answer = gate.upload(one)
        times.append(time.monotonic() - start)
        assert answer.status == 201, answer

    with Cpu(gate) as cpu:
        at_once([lambda one=one: send(one) for one in data], clients)
    times.sort()
    print(f"{'screened upload, 1200 x 1400 JPEG':36} {count / cpu.took:8.1f}/s, {cpu.used / count * 1000:.1f} ms CPU each, "
          f"{clients} clients: median {times[len(times) // 2] * 1000:.0f} ms, p95 {times[int(len(times) * 0.95)] * 1000:.0f} ms")
    files = []
    for i, one in enumerate(data[:10]):
        files.append(folder / f"upload{i}.jpg")
        files[-1].write_bytes(one)
    decode = vips_alone(files, 512, folder / "view.v", folder)
    pdq, inference = benched(build, "hash", "dihedral_of_512_by_512"), benched(build, "infer", "one_inference")
    parts = decode + pdq + inference
    print(f"{'':36} parts: decode to 512 {decode * 1000:.1f} ms, PDQ {pdq * 1000:.1f} ms, inference {inference * 1000:.1f} ms; "
          f"ratio {cpu.used / count / parts:.2f}", flush=True)


def burst(gate, count=200, clients=32):
    """Many uploads at once: memory of all processes, and that none fails."""
    data = [pictures.jpeg(9000 + i, 1200, 1400, quality=85) for i in range(count)]

    def resident():
        total = 0.0
        for pid in [gate.process.pid, *gate.children()]:
            try:
                total += int(re.search(r"Pss: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())[1]) / 1024
            except (OSError, TypeError):
                pass  # a decoder was replaced
        return total

    idle, peak, done = resident(), 0.0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    statuses = []
    at_once([lambda one=one: statuses.append(gate.upload(one).status) for one in data], clients)
    done.set()
    watcher.join()
    print(f"{f'{count} uploads from {clients} connections':36} {statuses.count(201)} accepted; memory {idle:.0f} MB idle, "
          f"{peak:.0f} MB at most, {peak - idle:.0f} MB over idle", flush=True)


def main(build, seconds=3):
    build = pathlib.Path(build).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # nginx's workers are another user
        gate = Gate(build, folder / "gate")
        gate.configure("decoder", jobs_per_worker=1_000_000)  # so that no process takes its CPU time with it
        gate.start()
        try:
            wait_until("decoders are ready", lambda: gate.metrics()["portcullis_decoders_ready"] > 0)
            uploads(gate, build, folder)
            burst(gate)
            thumbnails(gate, folder, "thumbnail miss, 1200 x 1400 JPEG", 1200, 1400, 80)
            thumbnails(gate, folder, "thumbnail miss, 12 MP JPEG", 4000, 3000, 20)
            serving(gate, folder, int(seconds))
        finally:
            gate.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
