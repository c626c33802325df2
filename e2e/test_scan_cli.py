"""`portcullis scan` and the other commands at the terminal."""
import hashlib
import json
import re

import pictures
import pytest
from gate import Gate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pictures")
    for name, data in {"a.jpg": pictures.jpeg(1), "b.png": pictures.png(2), "c.gif": pictures.animation(3),
                       "d.webp": pictures.webp(4)}.items():
        (made / name).write_bytes(data)
    return made


@pytest.fixture(scope="module")
def idle(binaries, room):
    """A gate that is set up and does not run."""
    return Gate(binaries, room / "idle")


def test_a_folder_of_pictures_becomes_a_table_with_scores(idle, folder):
    done = idle.cli("scan", folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"FILE +VERDICT +SCORES", lines[0]) and len(lines) == 5
    for line, name in zip(lines[1:], ("a.jpg", "b.png", "c.gif", "d.webp")):
        assert re.match(rf"{re.escape(str(folder / name))} +accept +.*nsfw\.nsfw 0\.\d+", line), line
    assert len({line.index("accept") for line in lines[1:]}) == 1, "columns line up"
    assert done.stderr == "", "nothing but the table, also no log"


def test_for_machines_a_line_each(idle, folder):
    done = idle.cli("scan", folder / "a.jpg", folder / "c.gif", "--json")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["verdict"] == "accept" and first["facts"]["format"] == "jpeg"
    assert first["facts"]["sha256"] == hashlib.sha256(pictures.jpeg(1)).hexdigest()
    assert 0 < first["facts"]["signals"]["nsfw"]["scores"]["nsfw"] < 1
    assert re.fullmatch("[0-9a-f]{64}", first["pdq"][0]["hash"]) and first["pdq"][0]["quality"] >= 50
    assert second["facts"]["frames"] == 3 + 2 and len(second["pdq"]) == 5


def test_the_same_file_gives_the_same_answer(idle, folder):
    assert idle.cli("scan", folder, "--json").stdout == idle.cli("scan", folder, "--json").stdout


def test_standard_input(idle, folder):
    done = idle.cli("scan", "-", "--json", input=(folder / "a.jpg").read_bytes(), text=False)
    assert done.returncode == 0, done.stderr
    by_name = json.loads(idle.cli("scan", folder / "a.jpg", "--json").stdout)
    assert json.loads(done.stdout) == by_name | {"file": "-"}


def test_the_exit_code_says_the_worst(new_gate, folder, tmp_path):
    gate = new_gate()
    (tmp_path / "banned.txt").write_text(hashlib.md5((folder / "b.png").read_bytes()).hexdigest() + "\n")
    gate.must("hashlist add", "own/banned", tmp_path / "banned.txt", "--kind", "md5")
    good, banned, missing = folder / "a.jpg", folder / "b.png", folder / "missing.jpg"
    text = tmp_path / "notes.txt"
    text.write_text("not a picture")
    for files, code in (([good], 0), ([good, banned], 1), ([banned, good], 1), ([good, missing], 2), ([banned, missing], 2)):
        assert gate.cli("scan", *files).returncode == code, files
    assert gate.cli("scan", text).returncode in (1, 2), "no picture is not an accepted one"
    refused = gate.cli("scan", banned).stdout
    assert "refuse" in refused and "own/banned" in refused, "at the terminal the reason is told"


def test_without_a_model_it_is_unanswered(new_gate, folder):
    gate = new_gate()
    (gate.folder / "models/open_nsfw").mkdir(parents=True)
    manifest = (gate.program.parent / "models/open_nsfw/model.toml").read_text()
    (gate.folder / "models/open_nsfw/model.toml").write_text(manifest)
    gate.configure("inference", models=str(gate.folder / "models"))
    done = gate.cli("scan", folder / "a.jpg")
    assert done.returncode == 2 and "unanswered" in done.stdout


def test_it_works_beside_a_running_gate(new_gate, folder):
    gate = new_gate().start()
    file = gate.store(pictures.tiny(1))
    assert gate.cli("scan", folder / "a.jpg").returncode == 0
    assert gate.fetch(file["file"])
    status = json.loads(gate.must("status", "--json"))
    assert (status["running"], status["aliases"], status["blobs"], status["uploads"]) == (True, 1, 1, "open")
    assert "running" in gate.must("status")
    gate.stop()
    assert json.loads(gate.must("status", "--json"))["running"] is False


def test_init_overwrites_nothing(idle):
    before = idle.config.read_text()
    done = idle.cli("init", "--data", idle.data)
    assert done.returncode == 1 and str(idle.config) in done.stderr and idle.config.read_text() == before


def test_init_binds_only_loopback_without_a_prefix(idle, tmp_path):
    done = idle.cli("init", "--data", tmp_path / "d", "--listen", "0.0.0.0:8080", "--config", tmp_path / "a.toml")
    assert done.returncode != 0 and not (tmp_path / "a.toml").exists()


def test_every_error_says_what_to_do(idle, tmp_path):
    lists = {
        "no kind": "a" * 64 + "\n", "odd digits": "sha256," + "a" * 63 + "\n", "not hexadecimal": "md5," + "z" * 32 + "\n",
        "unknown kind": "crc32,abcdef01\n",
    }
    for name, text in lists.items():
        path = tmp_path / "list.txt"
        path.write_text("# a comment\n\n" + text)
        done = idle.cli("hashlist add", "own/x", path)
        assert done.returncode == 1 and f"{path}:3" in done.stderr and len(done.stderr.splitlines()) == 1, (name, done.stderr)
    assert idle.cli("hashlist add", "own/x", tmp_path / "missing.txt", "--kind", "md5").returncode == 1
    assert idle.cli("hashlist add", "../x", path, "--kind", "md5").returncode == 1
    assert idle.cli("hashlist remove", "own/none").returncode == 1
    assert json.loads(idle.must("hashlist list", "--json")) == []
    for wrong in ("bogus", "", "scan", "hashlist", "lockdown maybe"):
        done = idle.cli(wrong)
        assert done.returncode not in (0, 1) and done.stderr + done.stdout, wrong


def test_lists_are_added_replaced_shown_and_removed(new_gate, tmp_path):
    gate = new_gate()
    path = tmp_path / "list.txt"
    path.write_text("md5," + "a" * 32 + "\r\nsha256," + "b" * 64 + "\nsha1," + "c" * 40 + "\npdq," + "f0" * 32 + "\nMD5,".lower() + "A" * 32 + "\n")
    assert "4 entries" in gate.must("hashlist add", "own/mixed", path)
    assert [(r["name"], r["entries"]) for r in json.loads(gate.must("hashlist list", "--json"))] == [("own/mixed", 4)]
    path.write_text("md5," + "e" * 32 + "\n")
    assert "1 entries" in gate.must("hashlist add", "own/mixed", path)
    assert len(list((gate.data / "lists").iterdir())) == 1, "the old file is gone"
    assert "own/mixed" in gate.must("hashlist list")
    gate.must("hashlist remove", "own/mixed")
    assert list((gate.data / "lists").iterdir()) == []


def test_check_looks_at_everything(idle):
    done = idle.cli("check")
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("config", "data", "store", "policy", "model", "decoder", "lists"):
        assert part in done.stdout
    assert "FAIL" not in done.stdout
