"""Our inference against OpenVINO's own benchmark_app: the same file, shape, precision, one thread, one at a time.

    .deps/venv/bin/python bench/inference.py BUILD [ROUNDS [SECONDS]]

The two are run turn by turn, and of each the least and the median time of all rounds are compared: on a busy machine only the
least means anything.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
KIT = (ROOT / ".deps/openvino").resolve().parent  # OpenVINO's Python part, which benchmark_app is of


def ours(build, model, seconds):
    run = subprocess.run([build / "infer_bench", f"--benchmark_filter=one_inference/{model}/", "--benchmark_format=json",
                          f"--benchmark_min_time={seconds}", "--benchmark_min_warmup_time=0.2"],
                         cwd=ROOT, stdout=subprocess.PIPE, check=True)
    figures = json.loads(run.stdout)["benchmarks"][0]
    return figures["least_ms"], figures["median_ms"]


def theirs(model, manifest, seconds):
    made = manifest["input"]
    shape = [1, made["height"], made["width"], 3] if made["layout"] == "NHWC" else [1, 3, made["height"], made["width"]]
    run = subprocess.run(
        [sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()",
         "-m", ROOT / "models" / model / manifest["file"], "-shape", str(shape).replace(" ", ""), "-d", "CPU", "-api", "sync",
         "-hint", "none", "-nstreams", "1", "-nthreads", "1", "-pin", "NO", "-infer_precision", manifest["run"]["precision"],
         "-t", str(seconds)],
        env=os.environ | {"PYTHONPATH": str(KIT)}, stdout=subprocess.PIPE, text=True, check=True)
    return [float(re.search(rf"{word}:\s+([\d.]+) ms", run.stdout)[1]) for word in ("Min", "Median")]


def main():
    build = pathlib.Path(sys.argv[1])
    rounds, seconds = (int(given) for given in (sys.argv[2:] + ["3", "3"][len(sys.argv) - 2:]))
    for manifest_file in sorted((ROOT / "models").glob("*/model.toml")):
        model, manifest = manifest_file.parent.name, tomllib.loads(manifest_file.read_text())
        if not (manifest_file.parent / manifest["file"]).exists():
            print(f"{model:<22} not installed")
            continue
        pairs = [(ours(build, model, seconds), theirs(model, manifest, seconds)) for _ in range(rounds)]
        least = [min(one[side][0] for one in pairs) for side in (0, 1)]
        median = [statistics.median(one[side][1] for one in pairs) for side in (0, 1)]
        print(f"{model:<22} {manifest['run']['precision']}  least {least[0]:.2f} ms, benchmark_app {least[1]:.2f} ms, "
              f"ratio {least[0] / least[1]:.2f} (<= 1.1); median {median[0]:.2f} and {median[1]:.2f}, "
              f"ratio {median[0] / median[1]:.2f}", flush=True)


main()
