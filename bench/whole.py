"""The running gate: stored pictures against nginx serving the same file, and screened uploads. Needs wrk and nginx.

usage: whole.py BUILD [SECONDS]
"""
import os
import pathlib
import re
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
    said = subprocess.run(["wrk", "-t2", "-c32", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return float(re.search(r"Requests/sec: +([\d.]+)", said)[1])


def serving(gate, folder, seconds):
    port = 18_000 + os.getpid() % 10_000
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        print(f"{'stored original, GET':36} {'gate':>10} {'nginx':>10} {'ratio':>7}")
        for name, size in (("1 KB", 1_000), ("100 KB", 100_000), ("2 MB", 2_000_000)):
            alias = gate.store(noise_png(size))["file"]
            (folder / "picture.png").write_bytes(gate.fetch(alias))
            ours, theirs = [], []
            for _ in range(ROUNDS):  # turn by turn, so that both see the same machine
                ours.append(requests_per_second(f"http://127.0.0.1:{gate.media[1]}/image/original/{alias}", seconds))
                theirs.append(requests_per_second(f"http://127.0.0.1:{port}/picture.png", seconds))
            a, b = statistics.median(ours), statistics.median(theirs)
            print(f"  {name:34} {a:8.0f}/s {b:8.0f}/s {a / b:7.2f}", flush=True)
    finally:
        nginx.terminate()
        nginx.wait()


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def uploads(gate, count=120, clients=4):
    data = [pictures.jpeg(1000 + i, 1200, 1400, quality=85) for i in range(count)]
    gate.store(pictures.jpeg(999, 1200, 1400))
    pids = [gate.process.pid, *gate.children()]
    before, begin, times, left = cpu_seconds(pids), time.monotonic(), [], list(data)

    def client():
        while left:
            start = time.monotonic()
            answer = gate.upload(left.pop())
            times.append(time.monotonic() - start)
            assert answer.status == 201, answer

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - begin, cpu_seconds(pids) - before
    times.sort()
    print(f"{'screened upload, 1200 x 1400 JPEG':36} {count / took:8.1f}/s, {used / count * 1000:.1f} ms CPU each, "
          f"{clients} clients: median {times[len(times) // 2] * 1000:.0f} ms, p95 {times[int(len(times) * 0.95)] * 1000:.0f} ms")
    print(f"{'':36} of {sum(map(len, data)) // count // 1000} KB each; the gate's peak memory {gate.peak_memory() / 1e6:.0f} MB")


def main(build, seconds=3):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # nginx's workers are another user
        gate = Gate(build, folder / "gate").start()
        try:
            wait_until("decoders are ready", lambda: gate.metrics()["portcullis_decoders_ready"] > 0)
            uploads(gate)
            serving(gate, folder, int(seconds))
        finally:
            gate.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
