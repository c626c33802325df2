"""`serve --dummy`, as the tests of other programs start it."""
import json
import signal
import socket
import subprocess
import urllib.request

import pytest
import wire
from gate import wait_until


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture
def dummy(binaries, tmp_path):
    media, admin = free_port(), free_port()
    process = subprocess.Popen(
        [binaries / "portcullis", "serve", "--dummy", "--listen", f"127.0.0.1:{media}", "--admin", f"127.0.0.1:{admin}",
         "--api-key", "my-pictrs-key"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    def is_up():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", media)) == 0

    wait_until("the dummy listens", is_up)
    yield media, admin, process
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()
    assert list(tmp_path.iterdir()) == [], "nothing was written"


def test_any_bytes_are_taken_and_come_back(dummy):
    media, admin, process = dummy
    content_type, body = wire.multipart([b"test"])
    request = urllib.request.Request(f"http://127.0.0.1:{media}/image", data=body, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
        file = json.load(answer)["files"][0]
    assert file["file"].endswith(".png") and (file["details"]["width"], file["details"]["content_type"]) == (0, "image/png")
    assert get(media, f"/image/original/{file['file']}") == "test"
    assert "dummy mode" in get(media, "/healthz") and "dummy mode" in get(admin, "/healthz")
    assert "portcullis_dummy_mode 1" in get(admin, "/metrics")
    assert "DUMMY MODE" in process.stdout.readline()


@pytest.mark.parametrize("arguments, says", [
    (["--listen", "0.0.0.0:0"], "loopback"), (["--listen", "nonsense"], "nonsense"), (["--config", "portcullis.toml"], "data folder")])
def test_it_refuses_what_could_be_a_real_site(binaries, tmp_path, arguments, says):
    done = subprocess.run([binaries / "portcullis", "serve", "--dummy", *arguments], cwd=tmp_path, capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 1 and says in done.stderr, done
