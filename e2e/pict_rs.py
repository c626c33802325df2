"""A real pict-rs in a folder of its own, for benchmarks and tests that compare with it. Standard library only.

usage: pict_rs.py PICT_RS      says whether that program and the tools it starts are there, and if not, what to install
"""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

VERSION = "0.5.19"  # figures and answers of pict-rs in this repository are of this one
PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "exiftool": "libimage-exiftool-perl", "convert": "imagemagick", "identify": "imagemagick"}
HOW_TO_GET = (f"pict-rs {VERSION} is not in Debian. With Rust at hand (about 400 crates, half an hour on two cores):\n"
              f"  cargo install pict-rs --version {VERSION} --locked --root /opt/pict-rs\n"
              "and name the program: PICTRS=/opt/pict-rs/bin/pict-rs")
# pict-rs wants ImageMagick 7, whose one program takes the name of a tool first. Debian 12 has the tools of version 6.
SHIM = """#!/bin/sh
case "$1" in
  convert | identify) tool=$1; shift; exec "$tool" "$@" ;;
  *) exec convert "$@" ;;
esac
"""


class Missing(Exception):
    """Something that is needed is not here; the text says what to do."""


def _says(program, *arguments):
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def find(program):
    """(path, version) of pict-rs. Raises Missing, also when a tool is missing that pict-rs would start."""
    if not program:
        raise Missing(f"PICTRS is not set: say PICTRS=/path/to/pict-rs.\n{HOW_TO_GET}")
    path = pathlib.Path(program).resolve()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise Missing(f"PICTRS={program} is not a program.\n{HOW_TO_GET}")
    version = re.search(r"\d+\.\d+\.\d+\S*", _says(path, "--version"))
    if not version:
        raise Missing(f"PICTRS={program} does not say its version: it is not pict-rs, or not one for this machine.\n{HOW_TO_GET}")
    missing = sorted({package for tool, package in PACKAGES.items() if not shutil.which(tool)
                      and not (package == "imagemagick" and shutil.which("magick"))})
    if "imagemagick" not in missing and not shutil.which("magick") and "ImageMagick" not in _says("convert", "-version"):
        missing.append("imagemagick")  # GraphicsMagick and others have a convert too
    if missing:
        raise Missing("pict-rs starts tools that are missing here. Debian has them:\n"
                      f"  apt-get install --no-install-recommends {' '.join(missing)}")
    return path, version[0]


class PictRs:
    """One running pict-rs on loopback: pictures in a folder, its database (sled) beside them."""

    def __init__(self, program, folder, api_key="a-key-for-tests", environment=()):
        self.program, _ = find(program)
        self.folder, self.api_key, self.environment = pathlib.Path(folder), api_key, dict(environment)
        self.process, self.media = None, None
        (self.folder / "tools").mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.path = os.environ["PATH"]
        if not shutil.which("magick"):
            shim = self.folder / "tools/magick"
            shim.write_text(SHIM)
            shim.chmod(0o755)
            self.path = f"{shim.parent}:{self.path}"

    def start(self, seconds=30):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.media = free.getsockname()
        environment = {"PATH": self.path, "HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp"),
                       "PICTRS__SERVER__TEMPORARY_DIRECTORY": str(self.folder / "tmp"),
                       "PICTRS__TRACING__LOGGING__TARGETS": "warn", **self.environment}
        for name in ("LD_LIBRARY_PATH", "PERL5LIB"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [self.program, "run", "--address", f"127.0.0.1:{self.media[1]}", "--api-key", self.api_key,
                 "filesystem", "-p", self.folder / "files", "sled", "-p", self.folder / "sled"],
                stdout=log, stderr=log, env=environment, cwd=self.folder)
        deadline = time.monotonic() + seconds
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "log").read_text()[-2000:]
                self.end()
                raise AssertionError(f"pict-rs did not start: {said}")
            time.sleep(0.05)
        return self

    def _is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(self.media, 5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in connection.recv(4096).split(b"\r\n")[0]
        return False

    def cpu_seconds(self):
        """Of pict-rs and of every tool that it started and that has ended."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


if __name__ == "__main__":
    try:
        found, which = find(sys.argv[1] if len(sys.argv) > 1 else "")
    except Missing as problem:
        sys.exit(str(problem))
    if which != VERSION:
        print(f"{found} is pict-rs {which}; figures are compared with {VERSION}", file=sys.stderr)
