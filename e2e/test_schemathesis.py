"""Everything that docs/openapi.yaml says about the media listener, asked of the running program and compared.

schemathesis makes requests from the description, sensible and senseless ones; schemathesis_hooks.py gives it aliases and
addresses that exist. To ask again what it found: the curl lines in its report, or

    .deps/venv/bin/python -m pytest -q e2e/test_schemathesis.py --binary build/dev
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pictures
import pytest
from origin import Origin

HERE = pathlib.Path(__file__).parent
DESCRIPTION = HERE.parent / "docs/openapi.yaml"
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "nothing_undescribed", "pictures_are_pictures"]
API_KEY = "a-key-for-tests-0123456789"


@pytest.fixture
def origin():
    with Origin({"/cat.png": ("image/png", pictures.png(11, 64, 48)), "/cat.jpg": ("image/jpeg", pictures.tiny(12)),
                 "/page.html": ("text/html", b"<p>no picture</p>"), "/moved.png": (302, {"Location": "/cat.png"}, b"")}) as site:
        yield site


@pytest.fixture
def ask(new_gate, origin, tmp_path):
    """Makes a gate with some pictures, has it brought into a state, and runs schemathesis against it."""

    def run(state=lambda gate: None, checks=CHECKS, options=()):
        gate = new_gate()
        gate.configure("listen", api_key=API_KEY)
        gate.configure("egress", allow=["127.0.0.0/8"])
        gate.start()
        aliases = [gate.store(data)["file"] for data in (
            pictures.tiny(1), pictures.png(2, 64, 48), pictures.webp(3, 64, 48), pictures.animation(4, 3, 48, 32))]
        state(gate)
        url = f"http://{gate.media[0]}:{gate.media[1]}"
        origins = [origin.url(path) for path in ("/cat.png", "/cat.jpg", "/page.html", "/moved.png", "/nothing.png")]
        site = {"url": url, "api_key": API_KEY, "aliases": aliases, "origins": origins}
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", str(DESCRIPTION), "--url", url, "--seed", "1", "--no-color",
             "--generation-database", "none", "--checks", ",".join(checks), "--warnings", "off", *options],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE),
                 "PORTCULLIS_SITE": json.dumps(site)},
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        assert done.returncode == 0, done.stdout
        assert [gate.fetch(alias) for alias in aliases], "what was stored is still served"
        return gate, int(re.search(r"(\d+) generated", done.stdout)[1])

    return run


def test_every_answer_is_a_described_one(ask):
    gate, requests = ask(options=["--phases", "examples,coverage,fuzzing", "--max-examples", "15"])
    assert requests > 2000
    assert gate.metrics()["portcullis_spool_bytes"] == 0


UPLOADS = [option for name in ("upload", "uploadInBackground", "import", "download", "original", "variant")
           for option in ("--include-operation-id", name)]


def test_closed_uploads_are_described(ask):
    ask(lambda gate: gate.must("lockdown on"), options=["--phases", "examples,fuzzing", "--max-examples", "8", *UPLOADS])


def test_screening_that_cannot_be_done_is_described(ask):
    def without_model(gate):
        shutil.copytree(gate.program.parent / "models", gate.folder / "models", ignore=shutil.ignore_patterns("*.onnx"))
        gate.configure("inference", models=str(gate.folder / "models"))
        gate.restart()

    checks = [check for check in CHECKS if check != "not_a_server_error"]
    ask(without_model, checks, ["--phases", "examples,fuzzing", "--max-examples", "8", *UPLOADS])
