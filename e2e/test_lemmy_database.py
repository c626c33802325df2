"""What is read from Lemmy's own database, with a real PostgreSQL and the real program."""
import json
import signal
import subprocess

import pytest
import wire
from gate import wait_until
from lemmy_database import PASSWORD, LemmyDatabase

GENERATIONS = ["0.19", "1.0"]


@pytest.fixture(scope="module")
def postgres():
    running = LemmyDatabase()
    yield running
    running.end()


@pytest.fixture
def gate(new_gate):
    gate = new_gate(profile="lists-only")
    gate.configure("site", hosts=["lemmy.example"])
    return gate


def announced(gate):
    return {url for url, in gate.query("SELECT url FROM remote WHERE announced IS NOT NULL")}


def announce(postgres, database, *links):
    values = ", ".join("('" + link.replace("'", "''") + "')" for link in links)
    postgres.run(database, f"INSERT INTO remote_image (link) VALUES {values}")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_announced_addresses_are_taken_over_once_and_again(gate, postgres, generation):
    url = postgres.make("lemmy", generation)
    announce(postgres, "lemmy", "https://other.example/a.png?b=1&c='2'", "http://other.example:81/d.png", "https://other.example/e.png#part",
             "https://lemmy.example/pictrs/image/own.png", "https://LEMMY.example:443/pictrs/image/own.png", "ftp://other.example/f.png",
             "data:image/png;base64,AA", "nonsense")
    done = json.loads(gate.must("import announced", "--lemmy-db", url, "--json"))
    assert done == {"announced": 3, "own": 2, "unusable": 3}
    expected = {"https://other.example/a.png?b=1&c='2'", "http://other.example:81/d.png", "https://other.example/e.png"}
    assert announced(gate) == expected
    announce(postgres, "lemmy", "https://aaa.example/new.png")
    assert "4 addresses" in gate.must("import announced", "--lemmy-db", url)
    assert announced(gate) == expected | {"https://aaa.example/new.png"}
    entries = [json.loads(line) for line in gate.must("audit list", "--json").splitlines()]
    assert [e["subject"] for e in entries if e["action"] == "announced addresses imported"] == ["https://lemmy.example"] * 2


def test_a_stranger_gets_what_was_announced_before_we_came(gate, postgres):
    url = postgres.make("lemmy", "0.19")
    announce(postgres, "lemmy", "http://127.0.0.1:1/a.png")
    gate.must("switch remote cache")
    gate.start()
    asked = "/image/original?proxy=http://127.0.0.1:1/a.png"
    assert gate.get(asked, wire.as_lemmy_relays()).status == 404, "nobody has announced it"
    gate.must("import announced", "--lemmy-db", url)
    assert gate.get(asked, wire.as_lemmy_relays()).status == 400, "it is fetched now, which that address does not allow"


def test_an_import_goes_on_where_it_was_killed(gate, postgres):
    url = postgres.make("lemmy", "0.19")
    count = 100_000
    postgres.run("lemmy", f"INSERT INTO remote_image (link) SELECT 'https://other.example/' || n FROM generate_series(1, {count}) n")
    running = subprocess.Popen([gate.program, "import", "announced", "--lemmy-db", url, "--config", gate.config],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until("some are taken over", lambda: (gate.data / "portcullis.sqlite").exists() and gate.query(
        "SELECT 1 FROM sqlite_master WHERE name = 'job'") and gate.query("SELECT done FROM job"))
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = gate.query("SELECT cursor FROM job WHERE kind = 'import announced'")
    # What lies before the place where it goes on is not read again.
    postgres.run("lemmy", "INSERT INTO remote_image (link) VALUES ('https://aaa.example/late')")
    done = json.loads(gate.must("import announced", "--lemmy-db", url, "--json"))
    assert done == {"announced": count, "own": 0, "unusable": 0}, before
    assert len(announced(gate)) == count
    assert json.loads(gate.must("import announced", "--lemmy-db", url, "--json"))["announced"] == count + 1


@pytest.mark.parametrize("how", ["option", "file", "variable", "config"])
def test_where_the_database_is_can_be_said_without_showing_the_password(gate, postgres, how):
    url = postgres.make("lemmy", "1.0")
    announce(postgres, "lemmy", "https://other.example/a.png")
    file = gate.folder / "lemmy-database"
    file.write_text(url + "\n")
    file.chmod(0o600)
    options = {}
    where = {"option": ["--lemmy-db", url], "file": ["--lemmy-db", f"file:{file}"], "variable": ["--lemmy-db", "env:LEMMY_DATABASE_URL"],
             "config": []}[how]
    if how == "variable":
        options["env"] = {"LEMMY_DATABASE_URL": url, "PATH": "/usr/bin:/bin"}
    if how == "config":
        gate.configure("lemmy", database=f"file:{file}")
    assert json.loads(gate.must("import announced", *where, "--json", **options))["announced"] == 1
    file.write_text(url.replace(PASSWORD, "wr0ng-passw0rd"))
    if how in ("file", "config"):
        refused = gate.cli("import announced", *where, "--json")
        assert refused.returncode == 1 and "password" in refused.stderr
        assert "wr0ng" not in refused.stderr + refused.stdout
        file.chmod(0o644)
        assert "chmod 600" in gate.cli("import announced", *where).stderr


def test_what_is_wrong_with_a_database_is_said_with_what_to_do(gate, postgres):
    def said(url):
        done = gate.cli("import announced", "--lemmy-db", url)
        assert done.returncode == 1 and done.stdout == ""
        assert PASSWORD not in done.stderr
        return done.stderr

    url = postgres.make("lemmy", "0.19")
    assert "--lemmy-db" in gate.cli("import announced").stderr
    assert "postgres://USER:PASSWORD@" in said(f"mysql://lemmy:{PASSWORD}@127.0.0.1/lemmy")
    assert "Is it running" in said(f"postgres://lemmy:{PASSWORD}@127.0.0.1:1/lemmy")
    assert "is not Lemmy's database" in said(postgres.url("postgres"))
    postgres.run("lemmy", f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    assert 'GRANT SELECT (link) ON remote_image TO "reader";' in said(postgres.url("lemmy", "reader"))
    gate.configure("site", hosts=["another.example"])
    assert "database of lemmy.example" in said(url)
    assert not (gate.data / "portcullis.sqlite").exists(), "nothing was begun"


def test_a_site_that_has_announced_nothing_is_told_why(gate, postgres):
    url = postgres.make("lemmy", "1.0")
    assert "ProxyAllImages" in gate.must("import announced", "--lemmy-db", url)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_tables_for_benchmarks_are_what_they_say(postgres, generation):
    postgres.make("lemmy", generation, pictures=1000)
    assert postgres.run("lemmy", "SELECT count(*) FROM post WHERE thumbnail_url IS NOT NULL") == ["850"]
    assert postgres.run("lemmy", "SELECT count(*) FROM local_image") == ["900"]
    assert postgres.run("lemmy", "SELECT count(*) FROM comment WHERE content LIKE '%pictrs%'") == ["100"]
    assert postgres.run("lemmy", "SELECT count(*) FROM remote_image") == ["1000"]
