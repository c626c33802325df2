"""What check_headers and check_tidy share: compile commands without the precompiled header, and running one command per
file side by side, skipping files that were clean before and have not changed since, nor anything they include."""
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def compile_commands(build):
    """{source file: the arguments it is compiled with}, less the precompiled header, output, and launcher."""
    path = pathlib.Path(build, "compile_commands.json")
    if not path.exists():
        sys.exit(f"{path} is missing; configure first: cmake --preset dev")
    commands = {}
    for entry in json.loads(path.read_text()):
        file = pathlib.Path(entry["file"])
        if not file.is_relative_to(ROOT) or file.is_relative_to(pathlib.Path(build).resolve()):
            continue
        commands.setdefault(file, plain(shlex.split(entry["command"])))
    return commands


def plain(arguments):
    compiler = next(i for i, a in enumerate(arguments) if "clang" in os.path.basename(a))
    kept, rest = [arguments[compiler]], iter(arguments[compiler + 1:])
    for argument in rest:
        if argument == "-Xclang":
            value = next(rest)
            if value in ("-include-pch", "-include"):
                next(rest), next(rest)  # -Xclang FILE
            elif value != "-fno-pch-timestamp":
                kept += [argument, value]
        elif argument in ("-o", "-c", "-MF", "-MT"):
            next(rest)
        elif argument not in ("-MD", "-Winvalid-pch"):
            kept.append(argument)
    return kept


def included(file, seen=None):
    """`file` and all files of ours that it includes, directly or not."""
    seen = {} if seen is None else seen
    if file in seen or not file.exists():
        return seen
    seen[file] = file.read_bytes()
    for name in INCLUDE.findall(seen[file]):
        for folder in (ROOT / "src", ROOT, file.parent):
            candidate = folder / name.decode()
            if candidate.exists():
                included(candidate.resolve(), seen)
                break
    return seen


def digest(file, command, extra):
    state = hashlib.sha256("\0".join([*command, *extra]).encode())
    for path, text in sorted(included(file).items()):
        state.update(f"{path}\0{len(text)}\0".encode() + text)
    return state.hexdigest()


def run_all(build, name, commands, extra=()):
    """Runs {file: command} and prints what failed. What `extra` holds decides with the sources whether to run again."""
    folder = pathlib.Path(build, "check", name)
    folder.mkdir(parents=True, exist_ok=True)

    def one(item):
        file, command = item
        clean = folder / digest(file, command, extra)
        if clean.exists():
            return 0
        done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            clean.touch()
            return 0
        said = re.sub(r"(?m)^\d+ warnings?.*generated\.\n", "", done.stdout)  # of others' headers
        print(f"--- {file.relative_to(ROOT)}\n{said.strip()}", flush=True)
        return 1

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return 1 if sum(pool.map(one, sorted(commands.items()))) else 0
