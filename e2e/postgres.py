"""A real PostgreSQL of Debian in a folder of its own, on a socket in that folder alone."""
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from gate import wait_until

PASSWORD = "s3cret-of-postgres"


class Postgres:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-postgres-"))
        self.programs = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
        self.owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None  # it refuses to run as root
        if self.owner:
            os.chown(self.folder, self.owner.pw_uid, 0)
            self.folder.chmod(0o755)
        (self.folder / "password").write_text(PASSWORD)
        self._start("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile",
                    self.folder / "password", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale", "C.UTF-8").wait(60)
        self.process = self._start("postgres", "-D", self.folder / "data", "-c", "listen_addresses=", "-c",
                                   f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "shared_buffers=32MB")
        wait_until("PostgreSQL answers", lambda: subprocess.run(
            ["pg_isready", "-q", "-h", self.folder], check=False).returncode == 0)

    def _start(self, program, *arguments):
        def become_its_user():
            if self.owner:
                os.setgroups([])
                os.setgid(self.owner.pw_gid)
                os.setuid(self.owner.pw_uid)

        with (self.folder / f"{program}.log").open("w") as log:
            return subprocess.Popen([f"{self.programs}/{program}", *map(str, arguments)], stdout=log, stderr=log, cwd="/",
                                    preexec_fn=become_its_user)

    def url(self, database="postgres", user="postgres", password=PASSWORD):
        return f"postgres://{user}:{password}@/{database}?host={self.folder}"

    def execute(self, database, sql):
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(database)], input=sql, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def make(self, database, sql):
        """A fresh database with these tables."""
        self.execute("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE);")
        self.execute("postgres", f"CREATE DATABASE {database};")
        self.execute(database, sql)
        return self.url(database)

    def end(self):
        self.process.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def inserts(table, rows):
    return "".join(f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))});\n" for row in rows)
