"""The files that put the gate onto a site: package, unit, containers, alerts, dashboard, and the manual of whoever is on duty.

What needs a program that is not here (docker, systemd-analyze, promtool) is said as a warning "not checked", and nothing else.
"""
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings

import pictures
import pytest
import wire
import yaml
from gate import Gate

TOP = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = TOP / "deploy"
MANUAL = TOP / "docs/operations.md"
ALERTS, SCRAPE, DASHBOARD = DEPLOY / "prometheus/alerts.yml", DEPLOY / "prometheus/scrape.yml", DEPLOY / "grafana/portcullis.json"
SITES = [DEPLOY / "docker" / name / "compose.yaml" for name in ("lemmy-0.19", "lemmy-1.0")]
UNIT = DEPLOY / "systemd/portcullis.service"


def run(*line, **options):
    done = subprocess.run([str(part) for part in line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **options)
    assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def here(program, what):
    """The program's path; without it a warning that `what` was not checked."""
    path = shutil.which(program)
    if not path:
        warnings.warn(f"not checked, {program} is not here: {what}", stacklevel=2)
    return path


# --- metrics, alerts, dashboard, manual ---


def names_in(text):
    return set(re.findall(r"\bportcullis_[a-z_]+[a-z]\b", text))


def expressions():
    alerts = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return alerts + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture(scope="module")
def exported(gate):
    return {name.split("{")[0] for name in gate.metrics()}


def test_alerts_and_dashboard_ask_only_for_what_the_gate_says(exported):
    asked = set().union(*map(names_in, expressions()))
    assert asked and asked <= exported


def test_they_ask_only_for_results_that_exist(gate):
    asked = set(re.findall(r'(portcullis_\w+)\{[^}]*result="(\w+)"', " ".join(expressions())))
    assert asked and all(f'{name}{{result="{one}"}}' in gate.metrics() for name, one in asked)


def test_the_manual_explains_every_metric_and_no_other(exported):
    rows = [line for line in MANUAL.read_text().splitlines() if line.startswith("| `portcullis_")]
    explained = set()
    for row in rows:  # "`portcullis_decoders_ready`, `_busy`": a tail replaces the last word
        first, *tails = re.findall(r"`([a-z_]+)", row.split("|")[1])
        explained |= {first} | {first.rsplit("_", 1)[0] + tail if first.rsplit("_", 1)[0] + tail in exported else "portcullis" + tail
                                for tail in tails}
    assert explained == exported


def test_the_manual_explains_every_result(gate):
    results = set(re.findall(r'result="(\w+)"', " ".join(gate.metrics())))
    assert results == set(re.findall(r"^\| … `(\w+)`", MANUAL.read_text(), re.MULTILINE))


def test_alerts_load():
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical") and rule["annotations"]["summary"], rule
    assert yaml.safe_load(SCRAPE.read_text())["rule_files"] == [ALERTS.name]
    if promtool := here("promtool", "whether Prometheus takes the alerts"):
        run(promtool, "check", "config", SCRAPE)


def test_the_dashboard_loads(tmp_path):
    dashboard = json.loads(DASHBOARD.read_text())
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(x, y) for box in boxes for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(boxes)
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "instance"}
    if promtool := here("promtool", "whether Prometheus takes the dashboard's questions"):
        rules = [{"record": f"question:{number}", "expr": expression.replace("$__rate_interval", "5m")}
                 for number, expression in enumerate(expressions())]
        (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
        run(promtool, "check", "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize("document", [MANUAL, DEPLOY / "README.md"], ids=lambda path: path.name)
def test_the_manual_names_only_commands_that_exist(gate, document):
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    inline = [code for line in document.read_text().splitlines() if not line.startswith("Being built:")
              for code in re.findall(r"`(portcullis [a-z][^`]*)`", line)]
    lines = "\n".join([*blocks, *inline]).replace("\\\n", " ").splitlines()
    known = set(re.findall(r"^  (\w+) ", run(gate.program, "--help").split("Subcommands:")[1], re.MULTILINE))
    commands = []
    for line in lines:
        for words in map(str.split, re.split(r"&&|[|;#]", re.sub(r'"[^"]*"', "TEXT", line))):
            commands += [words[at + 1:] for at in range(len(words) - 1) if words[at] == "portcullis" and words[at + 1] != "portcullis"
                         and words[at - 1] != "-u"]  # "sudo -u portcullis" and "journalctl -u portcullis" name the user and the unit
    assert len(commands) >= 3
    for words in commands:
        assert words[0] in known, words
        said = run(gate.program, *words[:2 if words[0] in ("hashlist", "evidence", "audit", "policy", "purge", "import") else 1], "--help")
        assert all(word in said for word in words if word.startswith("--")), words


def test_what_the_manual_takes_out_of_a_scan_makes_a_list(gate):
    """Step 5: the words for jq, followed by hand, give lines that `hashlist add` takes."""
    words = re.search(r"scan --json \S+ \| jq -r '(.*?)'", MANUAL.read_text())[1]
    (gate.folder / "bad.jpg").write_bytes(pictures.jpeg(77, 300, 200))
    scanned = json.loads(gate.cli("scan", gate.folder / "bad.jpg", "--json").stdout)
    lines = []
    for kind, path in re.findall(r'"(\w+),"\+\.([\w.\[\]]+)', words):
        value = scanned
        for name in re.findall(r"\w+", path):
            value = value[int(name) if name.isdigit() else name]
        lines.append(f"{kind},{value}")
    assert [line.split(",")[0] for line in lines] == ["pdq", "sha256"]
    (gate.folder / "banned.txt").write_text("\n".join(lines) + "\n")
    assert "own/banned: 2 entries" in gate.must("hashlist add", "own/banned", gate.folder / "banned.txt")
    gate.must("hashlist remove", "own/banned")


def test_a_backup_taken_as_the_manual_says_comes_back(new_gate, room):
    """The database first, by SQLite's own means, while uploads go on; then the files; into another folder."""
    gate = new_gate().start()
    kept = [gate.store(pictures.jpeg(seed, 200, 150))["file"] for seed in range(3)]
    gate.add_list("own/banned", "sha256", ["ab" * 32])
    restored = Gate(gate.program.parent, room / "restored")
    shutil.rmtree(restored.data)
    restored.data.mkdir(mode=0o700)
    source, target = sqlite3.connect(gate.data / "portcullis.sqlite"), sqlite3.connect(restored.data / "portcullis.sqlite")
    with target:
        source.backup(target)  # what the program sqlite3 does at ".backup"
    source.close()
    target.close()
    late = gate.store(pictures.jpeg(9, 200, 150))["file"]
    for name in ("blobs", "evidence", "lists"):
        shutil.copytree(gate.data / name, restored.data / name)
    shutil.copy(gate.policy, restored.policy)
    expected = [gate.fetch(alias) for alias in kept]
    gate.stop()
    try:
        restored.start()
        assert [restored.fetch(alias) for alias in kept] == expected
        assert restored.get(f"/image/original/{late}").status == 404
        assert "own/banned" in restored.must("hashlist list")
        assert len(restored.blobs()) == len(kept), "the picture without a row is swept"
    finally:
        restored.end()


# --- systemd ---


def settings():
    """{name: [values]} of the unit."""
    found = {}
    for line in UNIT.read_text().splitlines():
        if re.match(r"\w+=", line):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_is_one_that_systemd_takes(binaries, tmp_path):
    if analyze := here("systemd-analyze", "whether systemd takes the unit"):
        unit = tmp_path / UNIT.name
        unit.write_text(UNIT.read_text().replace("/usr/bin/portcullis", str(binaries / "portcullis")))
        said = run(analyze, "verify", "--man=no", unit)
        assert not [line for line in said.splitlines() if "portcullis" in line], said
        run(analyze, "security", "--offline=true", "--threshold=25", unit)  # 0 is locked up, 100 is open


def test_the_unit_lets_the_decoders_lock_themselves_in():
    unit = settings()
    assert set(unit["RestrictNamespaces"][0].split()) >= {"user", "net", "ipc", "mnt", "uts"}  # lock_in.cc asks for these
    assert {"seccomp", "landlock_create_ruleset", "landlock_restrict_self"} <= set(" ".join(unit["SystemCallFilter"]).split())
    assert "AF_UNIX" in unit["RestrictAddressFamilies"][0]
    assert "MemoryDenyWriteExecute" not in unit  # the model runtime writes machine code
    assert unit["User"] == ["portcullis"] and unit["StateDirectory"] == ["portcullis"]
    assert unit["CapabilityBoundingSet"] == [""] and unit["NoNewPrivileges"] == ["yes"]


def test_the_unit_s_system_calls_are_enough(binaries, room):
    """Start, upload, look, a thumbnail, stop, with the rights and system calls that the unit leaves."""
    if not here("systemd-analyze", "whether the gate can work with the system calls that the unit allows"):
        return
    locked = room / "locked-portcullis"
    locked.write_text(f'#!/bin/sh\nexec {sys.executable} {TOP}/e2e/system_calls.py {UNIT} {binaries}/portcullis "$@"\n')
    locked.chmod(0o755)
    own = Gate(binaries, room / "locked", program=locked)
    try:
        own.start()
        assert own.request("GET", "/healthz", address=own.admin).body == b"ok\n"
        status = pathlib.Path(f"/proc/{own.process.pid}/status").read_text()
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE) and re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
        alias = own.store(pictures.jpeg(6, 300, 200))["file"]
        assert own.fetch(alias) and own.get(f"/image/process.webp?src={alias}&thumbnail=64").status == 200
        own.stop()
    finally:
        own.end()


def test_systemd_waits_longer_than_the_gate_takes_to_stop(gate):
    drain = re.search(r'drain_timeout = "(\d+)s"', gate.config.read_text())[1]
    assert int(settings()["TimeoutStopSec"][0]) > int(drain)


# --- package ---


@pytest.fixture(scope="module")
def installed(binaries, room):
    """The tree of the package under another root."""
    root = room / "root"
    run("cmake", "--install", binaries, "--prefix", root / "usr", stdin=subprocess.DEVNULL)
    return root


def test_what_is_installed_runs_where_it_lies(installed, room):
    """Programs, model runtime, models and profiles of the package, and nothing of the checkout, screen an upload."""
    own = Gate(installed / "usr/share/portcullis", room / "installed", program=installed / "usr/bin/portcullis")
    try:
        own.start()
        assert own.metrics()["portcullis_problems"] == 0
        alias = own.store(pictures.jpeg(4, 300, 200))["file"]
        assert own.fetch(alias)
        maps = pathlib.Path(f"/proc/{own.process.pid}/maps").read_text()
        runtime = {line.split()[-1] for line in maps.splitlines() if re.search(r"/lib(openvino|tbb|hwloc)", line)}
        assert len(runtime) >= 4 and all(path.startswith(f"{installed}/usr/lib/portcullis/") for path in runtime), runtime
    finally:
        own.end()


@pytest.mark.parametrize("file", [
    "lib/systemd/system/portcullis.service", "lib/sysusers.d/portcullis.conf",
    "share/portcullis/models/open_nsfw/open-nsfw.onnx", "share/portcullis/profiles/strict.toml",
    "share/doc/portcullis/copyright", "share/doc/portcullis/operations.md", "share/doc/portcullis/THIRD_PARTY.md",
    "share/doc/portcullis/openvino/LICENSE", "share/doc/portcullis/openvino/runtime-third-party-programs.txt",
    "share/doc/portcullis/openvino/onetbb_third-party-programs.txt", "share/doc/portcullis/open_nsfw/open_nsfw-BSD-2-Clause.txt",
])
def test_the_package_has(installed, file):
    path = installed / "usr" / file
    assert path.is_file() and not path.is_symlink() and path.stat().st_size > 0


def test_every_library_that_is_shipped_has_its_licence_named(installed):
    named = re.findall(r"^Files: /usr/lib/portcullis/(\S+)\*$", (DEPLOY / "debian/copyright").read_text(), re.MULTILINE)
    shipped = [path.name for path in (installed / "usr/lib/portcullis").iterdir()]
    assert shipped and all(any(name.startswith(start) for start in named) for name in shipped), shipped


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_package_s_scripts_can_be_run(script):
    path = DEPLOY / "debian" / script
    assert os.access(path, os.X_OK)
    run("sh", "-n", path)
    run(path, "none-of-the-words-that-dpkg-says")  # does nothing


def test_removing_the_package_deletes_no_picture():
    removed = re.findall(r"rm -rf? +(\S+)", (DEPLOY / "debian/postrm").read_text() + (DEPLOY / "debian/prerm").read_text())
    assert removed == ["/etc/portcullis"]


# --- containers ---


def compose(path):
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
def test_docker_takes_the_site(path):
    environment = {**os.environ, "POSTGRES_PASSWORD": "x", "LEMMY_VERSION": "1", "LEMMY_HOST": "lemmy.example"}
    command = next((line for line in (["docker", "compose"], ["docker-compose"]) if shutil.which(line[0])
                    and subprocess.run([*line, "version"], capture_output=True).returncode == 0), None)
    if command is None:
        warnings.warn(f"not checked, docker compose is not here: whether it takes {path.parent.name}", stacklevel=1)
        return
    run(*command, "-f", path, "config", "-q", env=environment)


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
def test_in_a_site_the_gate_is_locked_up_and_reached_by_lemmy_alone(path):
    site = compose(path)
    gate = site["services"]["portcullis"]
    assert gate["read_only"] and gate["cap_drop"] == ["ALL"] and gate["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in gate and "user" not in gate and not gate.get("privileged")
    beside = {name for name, service in site["services"].items() if "pictures" in service.get("networks", [])}
    assert beside == {"portcullis", "lemmy"} and site["networks"]["pictures"] == {"internal": True}
    assert site["services"]["lemmy"]["depends_on"]["portcullis"] == {"condition": "service_started"}  # pictures are served when ill
    assert "pictrs" not in site["services"]


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
def test_in_a_site_lemmy_is_told_of_the_secret_path(path):
    lemmy = (path.parent / "lemmy.hjson.example").read_text()
    assert re.search(r'url: "http://portcullis:8080/[^"/]+/"', lemmy) and "api_key:" in lemmy
    mounted = [volume.split(":")[0] for volume in compose(path)["services"]["lemmy"]["volumes"]]
    assert mounted == ["./lemmy.hjson"]


def dockerfile():
    return (DEPLOY / "docker/Dockerfile").read_text()


def test_the_image_s_gate_is_not_root_and_takes_the_weights_at_build_time():
    text = dockerfile()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE) and "tools/setup deb" in text
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().split()
    assert {".git", ".deps", "build", "models/*/*.onnx"} <= set(ignored)  # nothing of this machine gets in
    assert "-o 10001 -g 10001" in (DEPLOY / "README.md").read_text()  # the owner of the folders


@pytest.mark.parametrize("well", [True, False], ids=["well", "without its weights"])
def test_the_image_s_health_check_says_whether_pictures_are_taken(new_gate, well):
    gate = new_gate()
    if not well:
        model = gate.folder / "models/open_nsfw"
        model.mkdir(parents=True)
        shutil.copy(TOP / "models/open_nsfw/model.toml", model)
        gate.configure("inference", models=str(model.parent))
    gate.start()
    command = json.loads(re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", dockerfile(), re.MULTILINE | re.DOTALL)[1])
    line = [part.replace("/9089", f"/{gate.admin[1]}") for part in command]
    assert line != command
    assert (subprocess.run(line, capture_output=True, timeout=30).returncode == 0) == well
    gate.end()
    assert subprocess.run(line, capture_output=True, timeout=30).returncode != 0


def test_a_gate_made_as_the_readme_says_serves_lemmy_under_its_secret_path(binaries, room):
    """`init --listen 0.0.0.0:… --prefix --api-key` of deploy/README.md."""
    folder = room / "container"
    folder.mkdir()
    said = run(binaries / "portcullis", "init", "--data", folder / "data", "--config", folder / "portcullis.toml",
               "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0", "--prefix", "--api-key", "a-key")
    prefix = re.search(r"pictrs\.url: http://0\.0\.0\.0:\d+(/\w+/)", said)[1]
    own = Gate.__new__(Gate)
    own.folder, own.program, own.process = folder, binaries / "portcullis", None
    own.data, own.config, own.policy = folder / "data", folder / "portcullis.toml", folder / "data/policy.toml"
    own.out, own.log_file = folder / "stdout", folder / "log.jsonl"
    try:
        own.start()
        content_type, body = wire.multipart([pictures.jpeg(5, 120, 90)])
        headers = [*wire.as_lemmy_relays(), ("Content-Type", content_type)]
        assert own.request("POST", f"{prefix}image", headers, body).status == 201
        assert own.request("POST", "/image", headers, body).status == 404
    finally:
        own.end()


def test_nginx_takes_its_config(tmp_path):
    if nginx := shutil.which("nginx") or here("/usr/sbin/nginx", "whether nginx takes its config"):
        run(nginx, "-t", "-q", "-p", tmp_path, "-g", f"pid {tmp_path}/pid; error_log {tmp_path}/log;", "-c", DEPLOY / "docker/nginx.conf")
