"""The real program in a folder of its own: init, serve, kill, restart, and what it logs."""
import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

import wire

REFUSED = "failed-external-validation"  # the code of every refusal because of what a picture shows


def wait_until(what, condition, seconds=30.0):
    """Asks `condition` until it gives something true, and gives that back."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"within {seconds} s it did not happen that {what}")
        time.sleep(0.01)


def small(gate):
    """With one decoder, which comes up faster than two: most tests ask for one picture at a time."""
    gate.configure("decoder", workers=1)
    return gate


class Gate:
    def __init__(self, binaries, folder, profile="strict", program=None):
        self.program = pathlib.Path(program or pathlib.Path(binaries, "portcullis"))
        self.profiles = pathlib.Path(binaries, "profiles")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data, self.config, self.policy = (self.folder / n for n in ("data", "portcullis.toml", "data/policy.toml"))
        self.out, self.log_file = self.folder / "stdout", self.folder / "log.jsonl"
        self.process, self.media, self.admin = None, None, None
        done = self.cli("init", "--data", self.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        assert done.returncode == 0, done.stderr
        self.use_profile(profile)
        self.configure("media", refusal_step="0s")  # the tests need not wait for the coarse clock of refusals

    # --- files ---

    def configure(self, section, **values):
        """Sets keys of one section of the config file."""
        lines = self.config.read_text().splitlines()
        if f"[{section}]" not in lines:
            lines += [f"[{section}]"]
        start = lines.index(f"[{section}]") + 1
        end = next((i for i in range(start, len(lines)) if lines[i].startswith("[")), len(lines))
        for key, value in values.items():
            text = f"{key} = {json.dumps(value)}"
            at = next((i for i in range(start, end) if re.match(rf"#?\s*{key}\s*=", lines[i])), None)
            if at is None:
                lines.insert(start, text)
                end += 1
            else:
                lines[at] = text
        self.config.write_text("\n".join(lines) + "\n")

    def use_profile(self, name):
        self.policy.write_text((self.profiles / f"{name}.toml").read_text())

    def files(self):
        """Every file under the data folder, relative to it."""
        return sorted(p.relative_to(self.data).as_posix() for p in self.data.rglob("*") if p.is_file())

    def blobs(self):
        return [f for f in self.files() if f.startswith("blobs/")]

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/portcullis.sqlite?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def holding(self, marker):
        """The files of the data folder that hold these bytes."""
        return [f for f in self.files() if marker in (self.data / f).read_bytes()]

    # --- the program ---

    def cli(self, command, *arguments, **options):
        """Runs a command to its end; "hashlist add" is written as one word with a blank."""
        line = [str(self.program), *command.split(), *(str(a) for a in arguments), "--config", str(self.config)]
        options = {"text": True, "timeout": 120, **options}
        return subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, **options)

    def must(self, command, *arguments, **options):
        done = self.cli(command, *arguments, **options)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def spawn(self, **options):
        """Starts `serve` without waiting for it."""
        assert self.process is None
        with self.out.open("w") as out, self.log_file.open("a") as log:
            self.process = subprocess.Popen([str(self.program), "serve", "--config", str(self.config)],
                                            stdout=out, stderr=log, cwd=self.folder, **options)

    def start(self, **options):
        self.spawn(**options)
        wait_until("the gate answers", self._is_up, 60)
        return self

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {self.log_file.read_text()[-2000:]}")
        found = re.search(r"media +http://([\d.]+):(\d+)(/\S*).*\n +admin +http://([\d.]+):(\d+)/", self.out.read_text())
        if not found:
            return False
        self.media, self.admin = (found[1], int(found[2])), (found[4], int(found[5]))
        try:
            return self.get(f"{found[3]}healthz").status == 200
        except (ConnectionRefusedError, wire.Gone):
            return False

    def stop(self, seconds=40):
        """Asks it to end, and expects that it does so in peace."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        assert code == 0, f"exit {code} after SIGTERM: {self.log_file.read_text()[-2000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def end(self):
        """For the end of a test: whatever still runs goes."""
        if self.process is not None:
            self.kill()

    def reload(self):
        """SIGHUP, and waits for what the gate says about it: the log entry."""
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        return wait_until("the gate speaks of its config", lambda: next(
            (e for e in self.log()[before:] if e["what"].startswith("config ")), None))

    def add_list(self, name, kind, digests):
        """`hashlist add`, and waits until the running gate uses it."""
        file = self.folder / "digests.txt"
        file.write_text("".join(f"{digest}\n" for digest in digests))
        return self._lists("hashlist add", name, file, "--kind", kind)

    def remove_list(self, name):
        return self._lists("hashlist remove", name)

    def _lists(self, *command):
        loaded = self._rulesets()
        said = self.must(*command)
        if self.process is not None:
            wait_until("the gate uses its lists as they are now", lambda: self._rulesets() > loaded, 2)
        return said

    def _rulesets(self):
        return self.log_file.read_text().count("ruleset loaded") if self.process is not None else 0

    def children(self):
        """Process ids of the decoder keeper and its workers."""
        found, wanted = [], [self.process.pid]
        while wanted:
            parent = wanted.pop()
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{parent}/task"):
                    wanted += [int(c) for c in pathlib.Path(f"/proc/{parent}/task/{task}/children").read_text().split()]
            found.append(parent)
        return found[1:]

    def peak_memory(self):
        """The most that the gate itself (not its decoders) ever had in memory, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def log(self):
        def unique(pairs):
            assert len(dict(pairs)) == len(pairs), f"a name stands twice in {pairs}"
            return dict(pairs)

        return [json.loads(line, object_pairs_hook=unique) for line in self.log_file.read_text().splitlines()
                if line.startswith("{")]

    # --- requests ---

    def request(self, method, target, headers=(), body=b"", address=None, timeout=60.0):
        with wire.Wire(address or self.media, timeout) as connection:
            headers = list(headers.items() if isinstance(headers, dict) else headers)
            if body:
                headers.append(("Content-Length", len(body)))
            connection.send(wire.head(method, target, headers) + body)
            return connection.read(head_only=method == "HEAD")

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def post(self, files, headers=(), **options):
        content_type, body = wire.multipart(files, **options)
        return self.request("POST", "/image", [*headers, ("Content-Type", content_type)], body)

    def upload(self, data, relayed=True):
        """One picture as Lemmy sends it."""
        return self.post([data], wire.as_lemmy_relays() if relayed else ())

    def store(self, data):
        """Uploads a picture that must be accepted; its entry in the answer."""
        answer = self.upload(data)
        assert answer.status == 201, answer
        return answer.json()["files"][0]

    def fetch(self, alias):
        answer = self.get(f"/image/original/{alias}", wire.as_lemmy_relays())
        assert answer.status == 200, (alias, answer)
        return answer.body

    def metrics(self):
        """{name with labels: value}"""
        text = self.request("GET", "/metrics", address=self.admin).body.decode()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))}
