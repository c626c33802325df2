"""What the tests of the pict-rs contract share: gates as the tables need them, and the shapes of answers.

The number before a row groups what belongs together: 1.1 uploads, 1.2 originals, 1.3 variants, 1.4 other reads and deleting,
2 the internal API, 3 errors, 4 requests that Lemmy relays, 5 pictures of other sites and of this one under its own address,
14 where pict-rs 0.5.19 was seen to answer otherwise than its documents say."""
import contextlib
import tempfile
import urllib.parse
import uuid

import pytest
import wire
from gate import Gate, small

API_KEY = "a-key-for-tests-0123456789"
UNKNOWN = "00000000-0000-4000-8000-000000000000.jpeg"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DETAILS = {"width", "height", "frames", "content_type", "created_at", "format", "blurhash"}
CANNOT_DECODE = ("command-failure", "decode-image")


def configured(binaries, room, profile="lists-only", **sections):
    """A gate that is not started yet. `sections` are those of the config file: listen={"api_key": ""}; with a dot "media_image"."""
    gate = small(Gate(binaries, tempfile.mkdtemp(dir=room), profile=profile))
    sections = {"listen": {}, "egress": {}, "media": {}, "site": {}, **sections}
    sections["listen"] = {"api_key": API_KEY, **sections["listen"]}
    sections["egress"] = {"allow": ["127.0.0.1/32"], **sections["egress"]}
    sections["media"] = {"max_file_count": 3, **sections["media"]}
    sections["site"] = {"hosts": ["lemmy.example"], **sections["site"]}
    for name, values in sections.items():
        gate.configure(name, **values)
    gate.must("switch", "remote", "cache")  # the default without a classifier is another
    return gate


@contextlib.contextmanager
def running(*arguments, **options):
    gate = configured(*arguments, **options)
    try:
        yield gate.start()
    finally:
        gate.end()


def quoted(text):
    """Percent-encoded as Lemmy does it: all but letters and digits."""
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in text.encode())


def query(**pairs):
    return "&".join(f"{key}={urllib.parse.quote(str(value), safe='')}" for key, value in pairs.items())


def internal(gate, method, path, body=b"", key=API_KEY, headers=()):
    return gate.request(method, f"/internal/{path}", [("X-Api-Token", key), *headers], body)


def upload(gate, files, parameters="", path="/image", headers=(), **options):
    content_type, body = wire.multipart(files if isinstance(files, list) else [files], **options)
    return gate.request("POST", f"{path}?{parameters}" if parameters else path, [*headers, ("Content-Type", content_type)], body)


def stored(gate, data, parameters=""):
    """The one entry of an upload that must be taken."""
    answer = upload(gate, data, parameters)
    assert answer.status == 201, answer
    file, = answer.json()["files"]
    return file


def is_error(answer, status, code):
    """An error of anything but an upload: a text for people and a word for programs. `code` may be several words."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("application/json"), answer
    body = answer.json()
    assert {"msg", "code"} <= set(body) <= {"msg", "code", "error", "message", "files"}, answer
    assert body["code"] in ((code,) if isinstance(code, str) else code) and body["msg"], answer
    return body


def is_refusal(answer, code, status=400):
    """A refused upload: the one body that every client of Lemmy understands."""
    body = is_error(answer, status, code)
    assert set(body) == {"error", "message", "msg", "files", "code"} and body["files"] is None, answer
    assert body["msg"] == body["message"] and body["error"] and ":" not in body["error"], answer
    return body


def is_nothing(answer, status=404):
    """A status and not a word more."""
    assert (answer.status, answer.body) == (status, b""), answer
    assert "Allow" not in answer.headers, answer


def is_taken(answer, status=201):
    """An upload's answer; its entries."""
    assert answer.status == status and answer.headers["Content-Type"].startswith("application/json"), answer
    body = answer.json()
    assert set(body) == {"msg", "files"} and body["msg"] == "ok" and body["files"], answer
    for file in body["files"]:
        assert set(file) == {"file", "delete_token", "details"}, answer
        assert str(uuid.UUID(file["delete_token"])) == file["delete_token"]
        are_details(file["details"])
    return body["files"]


def are_details(details):
    assert set(details) == DETAILS, details
    assert all(0 < details[side] < 65_536 for side in ("width", "height")), details
    assert isinstance(details["blurhash"], str) and 6 <= len(details["blurhash"]) <= 63, details
    return details


def rows(*cases):
    """Parameters of a table whose first column is the name of the row."""
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def mean_colour(blurhash):
    """The picture's mean colour that a blurhash holds, as three numbers of 0..255; its length must be right too."""
    number = [DIGITS.index(c) for c in blurhash]
    assert len(blurhash) == 4 + 2 * (number[0] % 9 + 1) * (number[0] // 9 + 1), blurhash
    packed = 0
    for digit in number[2:6]:
        packed = packed * 83 + digit
    return packed >> 16, packed >> 8 & 255, packed & 255
