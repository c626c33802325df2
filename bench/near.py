"""Near look-up of one picture (8 hashes, radius 31) among 10 million: hash_bench against FAISS on one core, answers compared.

usage: near.py BUILD [ROUNDS]

Times are CPU times of one thread, turn by turn. IndexBinaryMultiHash gets a tenth of the entries, because building it
takes minutes otherwise; its time is printed for that many.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / ".deps" / "bench"))
import faiss  # noqa: E402

COUNT, RADIUS, STRANGERS = 10_000_000, 31, 1 << 40


def numbers(first, count):
    """splitmix64, as src/hash/hash_bench.cc has it."""
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(first, first + count, dtype="uint64") + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> numpy.uint64(30)) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> numpy.uint64(27)) * numpy.uint64(0x94D049BB133111EB)
        return z ^ z >> numpy.uint64(31)


def hashes(first, count):
    return numbers(4 * first, 4 * count).reshape(count, 4)


def query(i, near=None):
    eight = hashes(STRANGERS + 8 * i, 8)
    if near is not None:
        one = hashes(i * 7919 % COUNT, 1)[0]
        for bit in range(near):
            one[bit % 4] ^= numpy.uint64(1 << (bit * 5 % 64))
        eight[i % 8] = one
    return eight.view("uint8")


def answer(index, eight):
    """As hash_bench writes it: bits and the first orientation that has so few."""
    bounds, distances, _ = index.range_search(eight, RADIUS + 1)  # FAISS leaves out the radius itself
    best = min(((int(d), o) for o in range(8) for d in distances[bounds[o]:bounds[o + 1]]), default=None)
    return f"{best[0]}:{best[1]}" if best else "-"


def ours(build, path):
    said = subprocess.run([build / "hash_bench", "--benchmark_filter=^nearest_of_the_file", "--benchmark_format=json"],
                          env={**os.environ, "PORTCULLIS_BENCH_LIST": str(path)}, capture_output=True, check=True).stdout
    return json.loads(said)["benchmarks"][0]


def milliseconds(index, count):
    times = []
    for i in range(count):
        eight, start = query(i), time.thread_time()
        index.range_search(eight, RADIUS + 1)
        times.append((time.thread_time() - start) * 1000)
    return statistics.median(times)


def main(build, rounds=3):
    build, rounds = pathlib.Path(build).resolve(), int(rounds)
    faiss.omp_set_num_threads(1)
    entries = hashes(0, COUNT).view("uint8")
    flat = faiss.IndexBinaryFlat(256)
    flat.add(entries)
    multi = faiss.IndexBinaryMultiHash(256, 16, 16)
    multi.nflip = 1
    multi.add(entries[:COUNT // 10])
    with tempfile.TemporaryDirectory() as folder:
        path, our, their, multis = pathlib.Path(folder) / "list", [], [], []
        for _ in range(rounds):
            one = ours(build, path)
            our.append(one["cpu_time"])
            their.append(milliseconds(flat, 5))
            multis.append(milliseconds(multi, 5))
            if one["write_s"]:
                print(f"{'10 M entries':24} written in {one['write_s']:.1f} s, {one['file_MB']:.0f} MB, opened in {one['open_s']:.2f} s",
                      flush=True)
    answers = [answer(flat, query(1000 + i, i)) for i in range(48)]
    same = one["label"].split() == answers
    fastest = statistics.median(our)
    print(f"{'8 hashes among 10 M':24} {fastest:.2f} ms; IndexBinaryFlat {statistics.median(their):.1f} ms, "
          f"ratio {statistics.median(t / o for t, o in zip(their, our)):.1f}; {len(answers)} answers {'the same' if same else 'DIFFER'}, "
          f"{len(answers) - answers.count('-')} of them matches")
    print(f"{'':24} IndexBinaryMultiHash (16 x 16 bits, nflip 1) among 1 M: {statistics.median(multis):.1f} ms")
    if not same:
        print("ours ", one["label"], "\nFAISS", " ".join(answers))
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
