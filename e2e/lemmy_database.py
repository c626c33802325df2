"""Lemmy's database: a real PostgreSQL of Debian in a temporary folder, with the tables of either generation."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from gate import wait_until

TABLES = pathlib.Path(__file__).resolve().parent.parent / "testing" / "lemmy"
PASSWORD = "s3cret-of-postgres"


class LemmyDatabase:
    """The server; it listens on a socket in its folder alone. Databases are made by `make`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-postgres-"))
        self.programs = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        self.user = None
        if os.geteuid() == 0:  # it refuses to run as root
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, 0)
            self.folder.chmod(0o755)
        (self.folder / "password").write_text(PASSWORD)
        made = self._start("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile",
                           self.folder / "password", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8")
        assert made.wait(60) == 0, (self.folder / "log.txt").read_text()
        self.process = self._start("postgres", "-D", self.folder / "data", "-c", "listen_addresses=", "-c",
                                   f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "jit=off")
        wait_until("PostgreSQL answers", lambda: subprocess.run(["pg_isready", "-q", "-h", self.folder]).returncode == 0)

    def _start(self, program, *arguments):
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen([self.programs / program, *arguments], stdout=log, stderr=log, cwd="/", user=self.user,
                                    group=pwd.getpwnam(self.user).pw_gid if self.user else None, extra_groups=[] if self.user else None)

    def url(self, database, user="postgres", password=PASSWORD):
        return f"postgres://{user}:{password}@/{database}?host={self.folder}"

    def make(self, database, generation, **variables):
        """An empty database of Lemmy "0.19" or "1.0"; with pictures=N it is filled with N posts."""
        self.run("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.run("postgres", f"CREATE DATABASE {database}")
        files = [TABLES / f"{generation.replace('.', '_')}.sql", *([TABLES / "million.sql"] if variables else [])]
        self._psql(database, *(f"-f{file}" for file in files), *(f"-v{name}={value}" for name, value in variables.items()))
        return self.url(database)

    def run(self, database, sql):
        """The lines that come back, columns with '|' between them."""
        return self._psql(database, "-f-", stdin=sql).splitlines()

    def _psql(self, database, *arguments, stdin=""):
        done = subprocess.run(["psql", "-XAtq", "-vON_ERROR_STOP=1", *arguments, self.url(database)], input=stdin, text=True,
                              capture_output=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
