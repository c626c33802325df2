"""The pict-rs contract: what an upload is answered, row by row."""
import hashlib
import re

import contract
import numpy
import pictures
import pytest
import wire
from contract import is_nothing, is_refusal, is_taken, rows, stored, upload
from gate import REFUSED, wait_until

STILL = pictures.jpeg(1)  # 640 x 480
MOVING = pictures.animation(2, frames=5)  # 96 x 64
STILL_GIF = pictures.encode(pictures.photo(3, 160, 120), "GIF")
GRAIN = pictures.encode(pictures.Image.fromarray(
    numpy.random.default_rng(4).integers(0, 256, (800, 800, 3), dtype="uint8")), "PNG")  # 1.9 MB


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room) as gate:
        yield gate


@pytest.fixture(scope="module")
def own_way(binaries, room):
    """A site with steps, filters and limits of its own."""
    media = {"preprocess_steps": "resize=200", "filters": ["resize"], "max_file_count": 1, "max_file_size": "1 MiB"}
    with contract.running(binaries, room, media=media) as gate:
        yield gate


def grown(gate, before):
    """Blobs that were not there before; others may go meanwhile."""
    return set(gate.blobs()) - set(before)


def sizes(file):
    return file["details"]["width"], file["details"]["height"]


# --- what is taken ---

@pytest.mark.parametrize("data,extension,content_type,frames,kind,size", rows(
    ("1.1 JPEG -> .jpeg Image", STILL, ".jpeg", "image/jpeg", None, "Image", (640, 480)),
    ("1.1 PNG -> .png Image", pictures.png(5), ".png", "image/png", None, "Image", (320, 240)),
    ("1.1 WebP -> .webp Image", pictures.webp(6), ".webp", "image/webp", None, "Image", (320, 240)),
    ("1.1 AVIF -> .avif Image", pictures.encode(pictures.photo(7, 320, 240), "AVIF"), ".avif", "image/avif", None, "Image", (320, 240)),
    ("1.1 GIF that moves -> .gif Animation 5", MOVING, ".gif", "image/gif", 5, "Animation", (96, 64)),
    ("1.1 GIF that stands still -> Animation, frames null", STILL_GIF, ".gif", "image/gif", None, "Animation", (160, 120)),
    ("1.1 WebP that moves -> .webp Animation 5", pictures.animation(8, frames=5, kind="WEBP"), ".webp", "image/webp", 5, "Animation", (96, 64)),
    ("1.1 JPEG turned by EXIF -> size as shown", pictures.camera_jpeg(9, 320, 240, orientation=6), ".jpeg", "image/jpeg", None, "Image", (240, 320)),
))
def test_a_picture_is_stored_as(gate, data, extension, content_type, frames, kind, size):
    file, = is_taken(upload(gate, data))
    assert re.fullmatch(contract.UUID + re.escape(extension), file["file"])
    details = file["details"]
    assert (details["content_type"], details["frames"], details["format"], sizes(file)) == (content_type, frames, kind, size)
    served = gate.get(f"/image/original/{file['file']}")
    assert served.headers["Content-Type"] == content_type and pictures.decode(served.body).size == size
    assert gate.get(f"/image/details/original/{file['file']}").json() == details


def test_a_jpeg_xl_is_taken_and_comes_back(gate):
    """1.1 JXL -> .jxl Image; the gate itself makes the file."""
    made = gate.get(f"/image/process.jxl?src={stored(gate, STILL)['file']}").body
    file, = is_taken(upload(gate, made))
    assert file["file"].endswith(".jxl") and sizes(file) == (640, 480)
    assert (file["details"]["content_type"], file["details"]["format"]) == ("image/jxl", "Image")


@pytest.mark.parametrize("name,content_type", rows(
    ("1.1 the part's file name is ignored", "cat.png", "image/jpeg"),
    ("1.1 a path as file name is ignored", "../../etc/passwd", "image/jpeg"),
    ("1.1 the part's content type is ignored", "cat.jpg", "text/html"),
))
def test_only_the_bytes_say_what_a_file_is(gate, name, content_type):
    file, = is_taken(upload(gate, [(name, content_type, STILL)]))
    assert re.fullmatch(contract.UUID + r"\.jpeg", file["file"]) and file["details"]["content_type"] == "image/jpeg"


@pytest.mark.parametrize("data", rows(
    ("1.1 blurhash of a JPEG", pictures.jpeg(10)), ("1.1 blurhash of a WebP", pictures.webp(11)),
    ("1.1 blurhash of an animation's first frame", pictures.animation(12, 3, 160, 120))))
def test_details_hold_a_blurhash_of_the_picture(gate, data):
    blurhash = stored(gate, data)["details"]["blurhash"]
    linear = (pictures.pixels(data) / 255) ** 2.2
    wanted = linear.mean(axis=(0, 1)) ** (1 / 2.2) * 255
    assert numpy.abs(wanted - contract.mean_colour(blurhash)).max() < 6


# --- operations on upload ---

@pytest.mark.parametrize("operations,size", rows(
    ("1.1 resize=256", "resize=256", (256, 192)),
    ("1.1 resize=Lanczos.256", "resize=Lanczos.256", (256, 192)),
    ("1.1 resize=.a10000", "resize=.a10000", (115, 86)),
    ("1.1 resize=1024 makes nothing larger", "resize=1024", (640, 480)),
    ("1.1 thumbnail=96", "thumbnail=96", (96, 72)),
    ("1.1 crop=1x1", "crop=1x1", (480, 480)),
    ("1.1 blur=3", "blur=3", (640, 480)),
    ("1.1 identity=true", "identity=true", (640, 480)),
    ("1.1 crop=1x1&resize=100", "crop=1x1&resize=100", (100, 100)),
    ("1.1 resize=100&crop=1x1: in the query's order", "resize=100&crop=1x1", (75, 75)),
    ("1.1 Lemmy 1.0, a post's picture", "allow_video=true&resize=512", (512, 384)),
    ("1.1 Lemmy 1.0, an avatar", "resize=128&allow_animation=false&allow_video=false", (128, 96)),
))
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_an_upload_may_ask_for_operations(gate, operations, size, headers):
    file, = is_taken(upload(gate, STILL, operations, headers=headers))
    assert all(abs(a - b) <= 1 for a, b in zip(sizes(file), size)), file
    served = pictures.decode(gate.fetch(file["file"]))
    assert served.size == sizes(file) and served.format == "JPEG", "it is stored as it was asked for"


def test_an_operation_on_upload_holds_for_every_frame(gate):
    """1.1 resize=48 of an animation -> Animation, 5 frames of 48 x 32"""
    file = stored(gate, MOVING, "resize=48")
    assert (sizes(file), file["details"]["frames"], file["details"]["format"]) == ((48, 32), 5, "Animation")
    assert pictures.decode(gate.fetch(file["file"])).n_frames == 5


@pytest.mark.parametrize("operations,size", rows(
    ("1.1 nothing asked -> the site's steps", "", (200, 150)),
    ("1.1 limits are no operations -> the site's steps", "max_width=640", (200, 150)),
    ("1.1 operations replace the site's steps", "crop=1x1", (480, 480)),
    ("1.1 identity replaces the site's steps", "identity=true", (640, 480)),
    ("1.1 the site's filters do not hold on upload", "thumbnail=64", (64, 48)),
))
def test_operations_replace_the_sites_own_steps(own_way, operations, size):
    assert sizes(stored(own_way, STILL, operations)) == size


@pytest.mark.parametrize("parameters", [
    "foo=bar", "Resize=100", "resize", "resize=", "resize=abc", "resize=-1", "resize=0", "resize=.a0", "resize=a100",
    "thumbnail=", "thumbnail=x", "thumbnail=0", "crop=1", "crop=0x1", "crop=21x1", "crop=1x21", "crop=axb", "blur=NaN", "blur=inf",
    "blur=-1", "blur=", "src=a.jpeg", "url=http%3A%2F%2F127.0.0.1%2F", "backgrounded=true", "filter_type=Lanczos2", "max_widht=1",
], ids=lambda p: f"1.1 POST image?{p} -> 400 invalid-process-path")
def test_an_operation_that_is_none_refuses_the_upload(gate, parameters):
    before = gate.blobs()
    is_refusal(upload(gate, STILL, parameters), "invalid-process-path")
    assert not grown(gate, before)


# --- limits in the query ---

LIMITS = rows(
    ("1.1 max_width=640", STILL, "max_width=640", None),
    ("1.1 max_width=639 -> validate-width", STILL, "max_width=639", "validate-width"),
    ("1.1 max_height=480", STILL, "max_height=480", None),
    ("1.1 max_height=479 -> validate-height", STILL, "max_height=479", "validate-height"),
    ("1.1 max_area=307200", STILL, "max_area=307200", None),
    ("1.1 max_area=307199 -> validate-area", STILL, "max_area=307199", "validate-area"),
    ("1.1 max_width=0 -> validate-width", STILL, "max_width=0", "validate-width"),
    ("1.1 max_frame_count=5", MOVING, "max_frame_count=5", None),
    ("1.1 max_frame_count=4 -> validate-frames", MOVING, "max_frame_count=4", "validate-frames"),
    ("1.1 max_width=95 of an animation -> validate-width", MOVING, "max_width=95", "validate-width"),
    ("1.1 max_file_size=2 of 1.9 MB", GRAIN, "max_file_size=2", None),
    ("1.1 several limits, all kept", STILL, "max_width=640&max_height=480&max_area=307200&max_file_size=1", None),
    ("1.1 several limits, one broken", STILL, "max_width=640&max_height=479&max_area=307200", "validate-height"),
    ("1.1 a limit and an operation: the original counts", STILL, "max_width=320&resize=100", "validate-width"),
    ("1.1 allow_image=true", STILL, "allow_image=true", None),
    ("1.1 allow_image=false -> media-disallowed", STILL, "allow_image=false", "media-disallowed"),
    ("1.1 allow_image=false and an animation", MOVING, "allow_image=false", None),
    ("1.1 allow_animation=false -> media-disallowed", MOVING, "allow_animation=false", "media-disallowed"),
    ("1.1 allow_animation=false and a still", STILL, "allow_animation=false", None),
    ("1.1 allow_animation=false&resize=48 -> media-disallowed", MOVING, "allow_animation=false&resize=48", "media-disallowed"),
    ("1.1 allow_video=false and a still", STILL, "allow_video=false", None),
    ("1.1 allow_video=false and an animation", MOVING, "allow_video=false", None),
    ("1.1 the site's own limit stays", pictures.needle_png(10_001, 1), "max_width=60000", "validate-width"),
    ("1.1 wider than u16", pictures.needle_png(70_000, 1), "", "validate-width"),
    ("1.1 higher than u16", pictures.needle_png(1, 70_000), "", "validate-height"),
)


@pytest.mark.parametrize("data,parameters,code", LIMITS)
def test_an_upload_may_ask_for_stricter_limits(gate, data, parameters, code):
    answer = upload(gate, data, parameters)
    if code:
        is_refusal(answer, code)
    else:
        is_taken(answer)


@pytest.mark.parametrize("parameters", rows(
    ("1.1 max_file_size=1 of 1.9 MB -> 413", "max_file_size=1"), ("1.1 max_file_size=0 -> 413", "max_file_size=0")))
def test_a_file_over_the_asked_size_is_413(gate, parameters):
    is_refusal(upload(gate, GRAIN, parameters), "validate-file-size", 413)


def test_a_file_over_the_sites_size_is_413(own_way):
    """3 a part that is too big -> 413 validate-file-size; a limit in the query does not raise the site's"""
    is_refusal(upload(own_way, GRAIN), "validate-file-size", 413)
    is_refusal(upload(own_way, GRAIN, "max_file_size=40"), "validate-file-size", 413)
    is_taken(upload(own_way, STILL))


@pytest.mark.parametrize("parameters", [
    "max_width=abc", "max_width=-1", "max_width=70000", "max_width=65536", "max_width=", "max_width=1.5", "max_width=%20640",
    "max_height=x", "max_area=4294967296", "max_frame_count=-5", "max_file_size=x", "allow_image=maybe", "allow_image=1",
    "allow_animation=TRUE", "allow_video=", "max_width=640&max_height=abc",
], ids=lambda p: f"3 POST image?{p} -> 400 invalid-query")
def test_a_limit_that_is_none_refuses_the_upload(gate, parameters):
    before = gate.blobs()
    is_refusal(upload(gate, STILL, parameters), "invalid-query")
    assert not grown(gate, before)


# --- what is not taken ---

def jpeg_2000():
    return pictures.encode(pictures.photo(13, 64, 64), "JPEG2000")


def lying_png():
    """Announces 64 x 64 more than its data hold."""
    data = pictures.png(14, 64, 64)
    head = b"IHDR" + (64).to_bytes(4, "big") + (128).to_bytes(4, "big") + data[24:29]
    return data[:12] + head + pictures.zlib.crc32(head).to_bytes(4, "big") + data[33:]


@pytest.mark.parametrize("data,code", rows(
    ("1.1 text -> command-failure", b"This is not a picture.\n" * 40, "command-failure"),
    ("1.1 SVG -> command-failure", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "command-failure"),
    ("1.1 PDF -> command-failure", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF", "command-failure"),
    ("1.1 HTML -> command-failure", b"<html><script>alert(1)</script></html>", "command-failure"),
    ("1.1 zeros -> command-failure", bytes(10_000), "command-failure"),
    ("1.1 BMP -> command-failure", pictures.encode(pictures.photo(15, 64, 64), "BMP"), "command-failure"),
    ("1.1 TIFF -> command-failure", pictures.encode(pictures.photo(16, 64, 64), "TIFF"), "command-failure"),
    ("1.1 JPEG 2000 -> command-failure", jpeg_2000(), "command-failure"),
    ("1.1 ICO -> command-failure", pictures.encode(pictures.photo(17, 64, 64), "ICO"), "command-failure"),
    ("1.1 half a JPEG -> command-failure", STILL[:20_000], contract.CANNOT_DECODE),
    ("1.1 a JPEG's head -> command-failure", STILL[:200], contract.CANNOT_DECODE),
    ("1.1 half a PNG -> command-failure", pictures.png(18)[:20_000], contract.CANNOT_DECODE),
    ("1.1 a PNG that announces more than it holds -> command-failure", lying_png(), contract.CANNOT_DECODE),
    ("1.1 nothing -> validate-file-empty", b"", "validate-file-empty"),
    ("1.1 one part too wide -> validate-width", pictures.needle_png(10_001, 1), "validate-width"),
    ("1.1 901 frames -> validate-frames", pictures.bomb_gif(901), "validate-frames"),
    ("1.1 an animation of 2000 x 8 -> validate-width", pictures.animation(19, 2, 2000, 8), "validate-width"),
))
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_what_is_no_picture_for_this_site_is_refused(gate, data, code, headers):
    before = gate.blobs()
    is_refusal(upload(gate, data, headers=headers), code)
    assert not grown(gate, before)


@pytest.mark.parametrize("files,field,code", rows(
    ("3 no part at all -> validate-no-files", [], "images[]", "validate-no-files"),
    ("3 a part of another name -> validate-no-files", [STILL], "image", "validate-no-files"),
    ("1.1 more than max_file_count -> file-upload-error", [STILL] * 4, "images[]", "file-upload-error"),
))
def test_a_form_without_proper_files_is_refused(gate, files, field, code):
    is_refusal(upload(gate, files, field=field), code)


def test_what_is_no_form_is_refused(gate):
    """3 another content type -> file-upload-error"""
    for content_type in ("image/jpeg", "application/json", "multipart/form-data"):
        is_refusal(gate.request("POST", "/image", [("Content-Type", content_type)], STILL), "file-upload-error")


@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_what_policy_refuses_is_failed_external_validation(gate, headers):
    """3 a refused picture -> 400 failed-external-validation, with any operation"""
    data = pictures.tiny(20)
    gate.add_list("own/refused", "sha256", [hashlib.sha256(data).hexdigest()])
    before = gate.blobs()
    for parameters in ("", "resize=32", "identity=true&allow_video=false"):
        is_refusal(upload(gate, data, parameters, headers=headers), REFUSED)
    is_refusal(upload(gate, [pictures.tiny(21), data], headers=headers), REFUSED)
    wait_until("nothing of it stays", lambda: not grown(gate, before))
    gate.remove_list("own/refused")


# --- several files ---

def test_several_files_come_back_in_order(gate):
    """1.1 three parts -> three entries, each with a name and a token of its own"""
    files = is_taken(upload(gate, [pictures.png(22), STILL, MOVING]))
    assert [file["details"]["content_type"] for file in files] == ["image/png", "image/jpeg", "image/gif"]
    assert len({file["file"] for file in files}) == len({file["delete_token"] for file in files}) == 3
    for file, size in zip(files, [(320, 240), (640, 480), (96, 64)]):
        assert pictures.decode(gate.fetch(file["file"])).size == size


def test_operations_and_limits_hold_for_each_file(gate):
    """1.1 ?resize=64 and ?max_width=400 with several parts"""
    files = is_taken(upload(gate, [STILL, pictures.png(23)], "resize=64"))
    assert [sizes(file) for file in files] == [(64, 48), (64, 48)]
    is_refusal(upload(gate, [pictures.png(24), STILL], "max_width=400"), "validate-width")


@pytest.mark.parametrize("bad,code,status", rows(
    ("1.1 one part is text", b"no picture", "command-failure", 400),
    ("1.1 one part is empty", b"", "validate-file-empty", 400),
    ("1.1 one part is too wide", pictures.needle_png(10_001, 1), "validate-width", 400),
    ("1.1 one part is too large", GRAIN, "validate-file-size", 413),
))
@pytest.mark.parametrize("place", range(3), ids=["the first", "the second", "the last"])
def test_one_bad_part_refuses_all_and_leaves_nothing(gate, place, bad, code, status):
    seed = 1000 + place * 10 + len(bad) % 7
    files = [pictures.tiny(seed), pictures.tiny(seed + 5)]
    files.insert(place, bad)
    before, listed = gate.blobs(), pages(gate)
    is_refusal(upload(gate, files, "max_file_size=1"), code, status)
    assert pages(gate) == listed
    wait_until("nothing of it stays", lambda: not grown(gate, before))


def pages(gate):
    """The aliases of everything that is stored."""
    page = contract.internal(gate, "GET", "hashes?limit=1000").json()["page"]
    return {alias for entry in page["hashes"] for alias in entry["aliases"]}


def test_more_files_than_the_site_takes(own_way):
    """1.1 two parts, max_file_count 1 -> 400 file-upload-error"""
    is_refusal(upload(own_way, [STILL, STILL]), "file-upload-error")


# --- other methods ---

@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"], ids=lambda m: f"14 {m} image -> 404 empty")
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_an_upload_is_a_post(gate, method, headers):
    is_nothing(gate.request(method, "/image", headers))
