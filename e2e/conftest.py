import os
import pathlib
import shutil
import tempfile

import pytest
from gate import Gate, small


def pytest_addoption(parser):
    parser.addoption("--binary", required=True, help="build folder that holds portcullis and portcullis-decoder")


@pytest.fixture(scope="session")
def binaries(request):
    return pathlib.Path(request.config.getoption("--binary")).resolve()


@pytest.fixture(scope="module")
def room():
    """A folder on a real disk (PORTCULLIS_E2E_TMP or the system's), gone afterwards."""
    folder = tempfile.mkdtemp(prefix="portcullis-e2e-", dir=os.environ.get("PORTCULLIS_E2E_TMP"))
    yield pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def gate(binaries, room):
    """One running gate for all tests of a file, for tests that leave it as they found it."""
    running = small(Gate(binaries, room / "shared")).start()
    yield running
    running.end()


@pytest.fixture
def new_gate(binaries, room):
    """Makes gates of one's own; they end with the test."""
    made = []

    def make(**options):
        made.append(small(Gate(binaries, tempfile.mkdtemp(dir=room), **options)))
        return made[-1]

    yield make
    for one in made:
        one.end()
