"""PDQ of a 512 x 512 picture in eight orientations: ours on each of its paths against the package pdqhash.

usage: pdq.py BUILD

Both take turns on one core; of each the least CPU time counts, which is what a busy neighbour disturbs least.
"""
import json
import pathlib
import subprocess
import sys
import time

import numpy
import pdqhash

ROUNDS, RUNS = 5, 20
PATHS = ["best", "portable", "avx2", "avx512"]


def theirs(picture):
    """Milliseconds of CPU time."""
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        pdqhash.compute_dihedral(picture)
        times.append(time.process_time() - begin)
    return min(times) * 1000


def ours(build):
    """Milliseconds of CPU time of each path; none for one that this processor cannot take."""
    said = subprocess.run([build / "hash_bench", "--benchmark_filter=dihedral_of_512_by_512/", "--benchmark_format=json",
                           "--benchmark_min_time=0.1", "--benchmark_repetitions=3"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    rows = {}
    for row in json.loads(said)["benchmarks"]:
        if row["run_type"] == "iteration" and not row.get("error_occurred"):
            assert row["time_unit"] == "ms", row
            path = row["name"].split("/")[-1]
            rows[path] = min(row["cpu_time"], rows.get(path, row["cpu_time"]))
    return rows


def main(build):
    build = pathlib.Path(build).resolve()
    picture = numpy.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype="uint8")
    reference, mine = [], []
    for _ in range(ROUNDS):
        reference.append(theirs(picture))
        mine.append(ours(build))
    least = min(reference)
    print(f"{'pdqhash compute_dihedral':36} {least:8.2f} ms")
    for path in PATHS:
        times = [rows[path] for rows in mine if path in rows]
        if times:
            print(f"{'ours, ' + path:36} {min(times):8.2f} ms, {least / min(times):5.1f} x faster", flush=True)
        else:
            print(f"{'ours, ' + path:36} not measured: this processor cannot")


if __name__ == "__main__":
    main(*sys.argv[1:])
