"""From an upload to its picture coming back, and every reason for which it does not."""
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import time

import pictures
import pytest
import wire
from gate import REFUSED, wait_until
from PIL import Image, ImageOps

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def scanned(gate, tmp_path, data, name="picture.jpg"):
    """What `portcullis scan --json` says about these bytes."""
    (tmp_path / name).write_bytes(data)
    return json.loads(gate.cli("scan", tmp_path / name, "--json").stdout)


def test_an_upload_comes_back_as_pict_rs_would_give_it(gate):
    answer = gate.upload(pictures.jpeg(1))
    assert answer.status == 201 and answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"msg", "files"} and body["msg"] == "ok" and len(body["files"]) == 1
    file = body["files"][0]
    assert set(file) == {"file", "delete_token", "details"}
    assert re.fullmatch(UUID + r"\.jpeg", file["file"]) and re.fullmatch(UUID, file["delete_token"])
    details = file["details"]
    created = datetime.datetime.fromisoformat(details.pop("created_at"))
    assert abs(datetime.datetime.now(datetime.timezone.utc) - created) < datetime.timedelta(minutes=1)
    assert details.pop("blurhash") != "", "there, if only as null"
    assert details == {"width": 640, "height": 480, "frames": None, "content_type": "image/jpeg", "format": "Image"}

    served = gate.get(f"/image/original/{file['file']}")
    assert served.status == 200 and served.headers["Content-Type"] == "image/jpeg"
    assert int(served.headers["Content-Length"]) == len(served.body)
    assert served.headers["Cache-Control"] == "public, max-age=86400"
    assert (pictures.pixels(served.body) == pictures.pixels(pictures.jpeg(1))).all(), "a JPEG keeps its coded data"
    said = gate.get(f"/image/details/original/{file['file']}").json()
    assert datetime.datetime.fromisoformat(said.pop("created_at")) == created
    assert said.pop("blurhash") != "" and said == details


FORMATS = [
    ("jpeg", pictures.jpeg(2), ".jpeg", "image/jpeg", 0),
    ("progressive jpeg", pictures.jpeg(3, progressive=True), ".jpeg", "image/jpeg", 0),
    ("grey jpeg", pictures.encode(pictures.photo(4).convert("L"), "JPEG"), ".jpeg", "image/jpeg", 0),
    ("cmyk jpeg", pictures.cmyk_jpeg(5), ".jpeg", "image/jpeg", 40),
    ("png", pictures.png(6), ".png", "image/png", 0),
    ("grey png", pictures.encode(pictures.photo(7).convert("L"), "PNG"), ".png", "image/png", 0),
    ("palette png", pictures.encode(pictures.photo(8).quantize(32), "PNG"), ".png", "image/png", 0),
    ("lossy webp", pictures.webp(10), ".webp", "image/webp", 6),
    ("lossless webp", pictures.webp(11, lossless=True), ".webp", "image/webp", 0),
    ("still gif", pictures.encode(pictures.photo(12, 160, 120), "GIF"), ".gif", "image/gif", 2),
    ("avif", pictures.encode(pictures.photo(13, 320, 240), "AVIF", quality=80), ".avif", "image/avif", 6),
]


@pytest.mark.parametrize("name,data,extension,content_type,tolerance", FORMATS, ids=[f[0] for f in FORMATS])
def test_each_format_is_taken_and_looks_the_same_afterwards(gate, name, data, extension, content_type, tolerance):
    file = gate.store(data)
    assert file["file"].endswith(extension) and file["details"]["content_type"] == content_type
    served = gate.fetch(file["file"])
    before, after = pictures.decode(data), pictures.decode(served)
    assert before.size == after.size == (file["details"]["width"], file["details"]["height"])
    assert pictures.difference(before.convert("RGB"), after.convert("RGB")) <= tolerance


def test_sixteen_bits_a_channel_look_the_same_afterwards(gate):
    served = gate.fetch(gate.store(pictures.deep_png(9))["file"])
    assert pictures.difference(pictures.decode(served).convert("RGB"), pictures.photo(9, 160, 120)) <= 1


@pytest.mark.parametrize("kind,extension", [("GIF", ".gif"), ("WEBP", ".webp")])
def test_an_animation_keeps_its_frames(gate, kind, extension):
    data = pictures.animation(14, frames=5, kind=kind)
    file = gate.store(pictures.with_tail(data))
    assert file["file"].endswith(extension)
    assert (file["details"]["frames"], file["details"]["format"]) == (5, "Animation")
    served = gate.fetch(file["file"])
    assert pictures.MARKER not in served
    before, after = pictures.decode(data), pictures.decode(served)
    assert after.n_frames == 5
    for frame in range(5):
        before.seek(frame), after.seek(frame)
        assert pictures.difference(before.convert("RGB"), after.convert("RGB")) < 12, f"frame {frame}"


TURNED = [(o, getattr(Image.Transpose, t, None)) for o, t in (
    (1, ""), (2, "FLIP_LEFT_RIGHT"), (3, "ROTATE_180"), (4, "FLIP_TOP_BOTTOM"), (5, "TRANSPOSE"), (6, "ROTATE_270"),
    (7, "TRANSVERSE"), (8, "ROTATE_90"))]


@pytest.mark.parametrize("orientation,turn", TURNED)
@pytest.mark.parametrize("size", [(640, 480), (603, 401)], ids=["whole blocks", "odd edges"])
def test_invariant_2_a_telephone_picture_is_turned_and_keeps_nothing_but_its_pixels(gate, orientation, turn, size):
    original = pictures.camera_jpeg(20, *size, orientation=orientation)
    file = gate.store(original)
    served = gate.fetch(file["file"])
    picture, wanted = pictures.decode(served), ImageOps.exif_transpose(pictures.decode(original))
    assert picture.size == wanted.size == (file["details"]["width"], file["details"]["height"])
    assert pictures.difference(picture.convert("RGB"), wanted.convert("RGB")) < 2
    assert not picture.getexif() and "comment" not in picture.info and "icc_profile" not in picture.info
    assert pictures.MARKER not in served and b"Exif" not in served and served.endswith(b"\xff\xd9")
    assert gate.holding(pictures.MARKER) == [], "not elsewhere under the data folder either"


def test_invariant_2_nothing_rides_along_in_a_png(gate):
    served = gate.fetch(gate.store(pictures.with_tail(pictures.png_with_text(21)))["file"])
    assert pictures.MARKER not in served and (pictures.pixels(served) == pictures.pixels(pictures.png(21))).all()
    assert gate.holding(pictures.MARKER) == []


def test_invariant_2_colours_that_nobody_can_see_are_not_kept(gate):
    original = pictures.pixels(pictures.transparent(22), "RGBA")
    served = pictures.pixels(gate.fetch(gate.store(pictures.transparent(22))["file"]), "RGBA")
    assert (served[..., 3] == original[..., 3]).all()
    assert (served[served[..., 3] == 0] == 0).all() and (original[original[..., 3] == 0][:, :3] != 0).any()
    seen = original[..., 3] > 0
    assert (served[seen] == original[seen]).all()


def test_one_picture_twice_is_stored_once_under_two_names(gate):
    first = gate.store(pictures.jpeg(23))
    blobs = gate.blobs()
    second = gate.store(pictures.jpeg(23))
    assert gate.blobs() == blobs and first["file"] != second["file"]
    assert gate.get(f"/image/delete/{first['delete_token']}/{first['file']}").status == 204
    assert gate.get(f"/image/original/{first['file']}").status == 404
    assert gate.fetch(second["file"]), "the other name keeps the picture"


def test_deleting_takes_the_right_token_and_then_the_blob_goes(new_gate):
    gate = new_gate().start()
    file, other = gate.store(pictures.tiny(24)), gate.store(pictures.tiny(25))
    alias, token = file["file"], file["delete_token"]
    wrong = gate.request("DELETE", f"/image/delete/{other['delete_token']}/{alias}")
    assert (wrong.status, wrong.code) == (403, "invalid-delete-token")
    assert gate.fetch(alias)
    assert gate.request("DELETE", f"/image/delete/{token}/{alias}").status == 204
    assert gate.get(f"/image/original/{alias}").status == 404
    again = gate.request("DELETE", f"/image/delete/{token}/{alias}")
    assert (again.status, again.body) == (204, b""), "an unknown alias is gone already"
    missing = gate.get(f"/image/details/original/{alias}")
    assert (missing.status, missing.code) == (404, "alias-not-found")
    wait_until("the sweeper removes the blob", lambda: len(gate.blobs()) == 1, 30)
    assert gate.fetch(other["file"])


def variations(seed):
    """A picture as people try it again."""
    image = pictures.photo(seed)
    return {
        "the very same": pictures.jpeg(seed),
        "half the size": pictures.encode(image.resize((320, 240), Image.Resampling.LANCZOS), "JPEG", quality=90),
        "larger": pictures.encode(image.resize((1000, 750), Image.Resampling.BICUBIC), "JPEG", quality=85),
        "poor quality": pictures.encode(image, "JPEG", quality=35),
        "as PNG": pictures.encode(image, "PNG"),
        "as WebP": pictures.encode(image, "WEBP", quality=60),
        "mirrored": pictures.encode(ImageOps.mirror(image), "JPEG", quality=88),
        "upside down": pictures.encode(ImageOps.flip(image), "JPEG", quality=88),
        "on its side": pictures.encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=88),
        "turned by EXIF": pictures.camera_jpeg(seed, orientation=8),
        "one frame of an animation": pictures.encode(
            pictures.photo(9_000, 640, 480), "WEBP", save_all=True, quality=80, duration=100,
            append_images=[image, pictures.photo(9_001, 640, 480)]),
    }


def test_after_its_pdq_is_listed_a_picture_and_its_copies_are_refused(new_gate, tmp_path):
    gate = new_gate().start()
    stored = gate.store(pictures.jpeg(30))
    served = gate.fetch(stored["file"])
    pdq = scanned(gate, tmp_path, pictures.jpeg(30))["pdq"][0]
    assert pdq["quality"] >= 50
    gate.add_list("own/banned", "pdq", [pdq["hash"]])
    blobs = gate.blobs()
    for name, data in variations(30).items():
        answer = gate.upload(data)
        assert (answer.status, answer.code) == (400, REFUSED), name
    assert gate.blobs() == blobs, "the data folder has not grown by a blob"
    assert gate.fetch(stored["file"]) == served, "what is stored already is another matter"
    gate.store(pictures.jpeg(31))
    gate.remove_list("own/banned")
    gate.store(pictures.jpeg(30))


@pytest.mark.parametrize("kind", ["sha256", "sha1", "md5"])
def test_after_its_digest_is_listed_a_picture_is_refused(new_gate, kind):
    gate = new_gate().start()
    data = pictures.jpeg(32)
    gate.add_list("csam/test", kind, [hashlib.new(kind, data).hexdigest().upper()])
    answer = gate.upload(data)
    assert (answer.status, answer.code, gate.blobs()) == (400, REFUSED, [])
    assert gate.upload(data + b"\n").status == 201, "a list of digests knows nothing but these very bytes"


def score_of(gate, tmp_path, data):
    return scanned(gate, tmp_path, data)["facts"]["signals"]["nsfw"]["scores"]["nsfw"]


def lower_threshold(gate, value):
    text, count = re.subn(r"at_least = 0\.85", f"at_least = {value:.9f}", gate.policy.read_text())
    text, others = re.subn(r"at_least = 0\.60", f"at_least = {value / 2:.9f}", text)
    assert (count, others) == (1, 2)
    gate.policy.write_text(text)


def test_a_picture_above_the_threshold_is_refused(new_gate, tmp_path):
    gate = new_gate().start()
    data = pictures.jpeg(33)
    stored = gate.store(data)
    score = score_of(gate, tmp_path, data)
    assert 0 < score < 0.5, "an ordinary picture"
    lower_threshold(gate, score * 0.9)
    assert gate.reload()["level"] == "info"
    answer = gate.upload(data)
    assert (answer.status, answer.code, len(gate.blobs())) == (400, REFUSED, 1)
    assert gate.fetch(stored["file"])
    lower = gate.cli("scan", tmp_path / "picture.jpg")
    assert lower.returncode == 1 and "pornography" in lower.stdout


def test_invariant_8_a_refusal_tells_nothing_about_what_refused(new_gate, tmp_path):
    data, known = pictures.jpeg(34), pictures.jpeg(35)
    gate = new_gate().start()
    score = score_of(gate, tmp_path, data)
    gate.add_list("own/secret-list-name", "sha256", [hashlib.sha256(known).hexdigest()])
    lower_threshold(gate, score * 0.9)
    gate.reload()
    by_list, by_score = gate.upload(known), gate.upload(data)
    gate.policy.write_text(re.sub(r'then = "refuse"\n\n\[\[rule\]\]\nname   = "unsure"',
                                  'then = "hold"\n\n[[rule]]\nname   = "unsure"', gate.policy.read_text(), count=1))
    gate.reload()
    held = gate.upload(data)
    assert {a.status for a in (by_list, by_score)} == {400}
    assert by_list.body == by_score.body
    for answer in (by_list, by_score, held):
        body = answer.json()
        assert set(body) == {"error", "message", "msg", "files", "code"} and body["files"] is None
        assert ":" not in body["error"] and body["msg"] == body["message"]
        for word in ("secret-list-name", "list", "nsfw", "score", "pdq", "sha", "model", "hash"):
            assert word not in answer.body.decode().lower().replace("failed-external-validation", ""), word
    names = [sorted(n.lower() for n, _ in a.headers.lines) for a in (by_list, by_score)]
    assert names[0] == names[1], "nor do the headers"


def test_refusals_leave_at_a_coarse_clock(new_gate):
    gate = new_gate()
    gate.configure("media", refusal_step="2s")
    data = pictures.tiny(36)
    gate.add_list("own/a", "sha256", [hashlib.sha256(data).hexdigest()])
    gate.start()
    answer, took = timed(lambda: gate.upload(data))
    assert answer.status == 400 and 1.9 < took < 3.5


def timed(call):
    begin = time.monotonic()
    return call(), time.monotonic() - begin


def own_models(gate):
    """A models folder of the gate's own, so that it can be harmed."""
    source = gate.program.parent / "models"
    folder = gate.folder / "models"
    shutil.copytree(source, folder, symlinks=False)
    gate.configure("inference", models=str(folder))
    return next(folder.glob("open_nsfw/*.onnx"))


@pytest.mark.parametrize("how", ["moved away", "wrong digest", "manifest gone"])
@pytest.mark.parametrize("when", ["at start", "at reload"])
def test_invariant_4_without_its_model_the_gate_takes_nothing_and_serves_everything(new_gate, tmp_path, how, when):
    gate = new_gate()
    weights = own_models(gate)
    gate.start()
    file = gate.store(pictures.jpeg(37))
    if when == "at start":
        gate.stop()
    if how == "moved away":
        weights.rename(tmp_path / "elsewhere.onnx")
    elif how == "wrong digest":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    else:
        weights.with_name("model.toml").rename(tmp_path / "elsewhere.toml")
    if when == "at start":
        if how == "manifest gone":  # a policy that names an unknown model is a wrong policy
            done = gate.cli("serve")
            assert done.returncode == 1 and "open_nsfw" in done.stderr and "policy.toml:" in done.stderr
            return
        gate.start()
    else:
        said = gate.reload()
        if how == "manifest gone":  # the old policy stays, and with it the model that is loaded
            assert said["level"] == "error" and "policy.toml:" in said["why"]
            return
    for data in (pictures.jpeg(37), pictures.jpeg(38), pictures.tiny(39)):
        answer = gate.upload(data)
        assert (answer.status, answer.code) == (503, "screening-unavailable"), "known bytes too: invariant 3"
        assert int(answer.headers["Retry-After"]) > 0
    assert len(gate.blobs()) == 1 and gate.fetch(file["file"])
    assert any("open_nsfw" in json.dumps(e) for e in gate.log() if e["level"] == "error")
    assert gate.metrics()["portcullis_problems"] > 0
    done = gate.cli("check")
    assert done.returncode == 1 and "FAIL" in done.stdout and "open_nsfw" in done.stdout


def test_invariant_3_a_list_that_cannot_be_read_is_not_an_empty_list(new_gate):
    gate = new_gate().start()
    file = gate.store(pictures.jpeg(40))
    gate.add_list("csam/a", "sha256", [hashlib.sha256(b"something").hexdigest()])
    gate.stop()
    list_file = next((gate.data / "lists").iterdir())
    content = list_file.read_bytes()
    for name, wrong in {"truncated": content[:-7], "changed": content[:-1] + b"\0", "empty": b"", "foreign": b"a,b\n"}.items():
        list_file.write_bytes(wrong)
        gate.start()
        answer = gate.upload(pictures.jpeg(41))
        assert (answer.status, answer.code) == (503, "screening-unavailable"), name
        assert gate.fetch(file["file"]), name
        gate.stop()
    list_file.write_bytes(content)
    gate.start()
    gate.store(pictures.jpeg(41))


def test_invariant_4_without_decoders_the_gate_takes_nothing_and_serves_everything(new_gate, binaries, tmp_path):
    gate = new_gate().start()
    file = gate.store(pictures.jpeg(42))
    gate.stop()
    lonely = tmp_path / "bin"
    lonely.mkdir()
    shutil.copy(binaries / "portcullis", lonely)  # its decoder lies beside it, and is missing here
    for name in ("models", "profiles"):
        (lonely / name).symlink_to((binaries / name).resolve())
    gate.program = lonely / "portcullis"
    gate.start()
    answer = gate.upload(pictures.jpeg(43))
    assert (answer.status, answer.code) == (503, "screening-unavailable")
    assert gate.fetch(file["file"])


def test_decoders_that_are_killed_come_back(new_gate):
    gate = new_gate().start()
    for attempt in range(3):
        for child in gate.children()[1:]:
            os.kill(child, signal.SIGKILL)
        answer = gate.upload(pictures.tiny(50 + attempt))
        assert answer.status in (201, 503) and (answer.status == 201 or answer.code == "screening-unavailable")
        wait_until("uploads work again", lambda: gate.upload(pictures.tiny(60 + attempt)).status == 201, 20)


def test_invariant_1_an_upload_under_way_has_no_name_on_disk(new_gate):
    gate = new_gate().start()
    content_type, body = wire.multipart([pictures.as_camera_writes(pictures.large(44))])
    before = gate.files()
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", [("Content-Type", content_type), ("Content-Length", len(body))]))
        connection.send(body[:-2_000])
        wait_until("the spool holds it", lambda: gate.metrics()["portcullis_spool_bytes"] > 100_000)
        assert gate.files() == before and gate.holding(pictures.MARKER) == []
        connection.send(body[-2_000:])
        assert connection.read().status == 201
    assert gate.metrics()["portcullis_spool_bytes"] == 0


def test_invariant_1_a_refused_picture_leaves_nothing_behind(new_gate):
    gate = new_gate().start()
    data = pictures.camera_jpeg(45)
    gate.add_list("own/a", "sha256", [hashlib.sha256(data).hexdigest()])
    before = gate.files()
    assert gate.upload(data).status == 400
    assert gate.files() == before and gate.blobs() == [] and gate.holding(pictures.MARKER) == []
