"""The pict-rs contract: videos, moving PNGs and moving AVIFs, row by row."""
import hashlib
import json
import re

import contract
import pictures
import pytest
import videos
import wire
from contract import internal, is_error, is_refusal, is_taken, quoted, rows, stored, upload
from gate import REFUSED
from origin import Origin

MP4, WEBM, APNG = videos.mp4(1), videos.webm(2), videos.apng(3)  # 96 x 64, 5 frames
AVIF = pictures.animation(4, 5, 96, 64, kind="AVIF")
TALL = videos.webm(5, 2, 16, 3841)
LONG = videos.webm(6, 901, 16, 16)
KINDS = rows(
    ("1.1 MP4 -> .mp4 Video", MP4, ".mp4", "video/mp4", "Video", "09"),
    ("1.1 WebM -> .webm Video", WEBM, ".webm", "video/webm", "Video", "0a"),
    ("1.1 APNG -> .apng Animation", APNG, ".apng", "image/apng", "Animation", "00"),
)
VIDEOS = rows(("MP4", MP4), ("WebM", WEBM))


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room) as gate:
        yield gate


@pytest.fixture(scope="module")
def still(gate):
    return stored(gate, pictures.png(7))["file"]


def process(gate, alias, operations="", ext="webp", headers=()):
    return gate.get(f"/image/process.{ext}?src={alias}{'&' if operations else ''}{operations}", headers)


def sizes(details):
    return details["width"], details["height"]


# --- uploads ---

@pytest.mark.parametrize("data,extension,content_type,kind,number", KINDS)
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_what_moves_is_stored_as(gate, data, extension, content_type, kind, number, headers):
    file, = is_taken(upload(gate, data, headers=headers))
    assert re.fullmatch(contract.UUID + re.escape(extension), file["file"])
    details = file["details"]
    assert (details["content_type"], details["format"], details["frames"], sizes(details)) == (content_type, kind, 5, (96, 64))
    assert gate.get(f"/image/details/original/{file['file']}").json() == details
    assert gate.get(f"/image/blurhash?alias={file['file']}").json() == {"msg": "ok", "blurhash": details["blurhash"]}
    served = gate.get(f"/image/original/{file['file']}", headers)
    assert served.status == 200 and served.headers["Content-Type"] == content_type
    assert int(served.headers["Content-Length"]) == len(served.body) and served.headers["Accept-Ranges"] == "bytes"
    entry = internal(gate, "GET", f"hashes?{contract.query(limit=50)}").json()["page"]["hashes"]
    wanted = hashlib.sha256(served.body).hexdigest() + len(served.body).to_bytes(6, "big").hex() + number
    assert wanted in [one["hex"] for one in entry]


def test_an_apng_keeps_its_frames_and_nothing_else(gate):
    """1.1 APNG -> every frame, without what hangs on behind"""
    served = gate.fetch(stored(gate, pictures.with_tail(APNG))["file"])
    shown = pictures.decode(served)
    assert pictures.MARKER not in served and (shown.format, shown.n_frames) == ("PNG", 5)
    for i, frame in enumerate(videos.still_frames(3, 5, 96, 64)):
        shown.seek(i)
        assert pictures.difference(shown.convert("RGB"), frame) < 2, f"frame {i}"


def test_a_video_shows_what_was_sent(gate):
    """1.1 a WebM comes back as a WebM with its frames; nothing that is no frame stays"""
    served = gate.fetch(stored(gate, pictures.with_tail(WEBM))["file"])
    assert served.startswith(b"\x1a\x45\xdf\xa3") and pictures.MARKER not in served


@pytest.mark.parametrize("data", VIDEOS)
@pytest.mark.parametrize("value,status", [("bytes=0-9", 206), ("bytes=-9", 206), ("bytes=100-", 206), ("bytes=99999999-", 416)])
def test_a_video_is_served_in_parts(gate, data, value, status):
    """1.2 players seek"""
    alias = stored(gate, data)["file"]
    whole = gate.fetch(alias)
    answer = gate.get(f"/image/original/{alias}", wire.as_lemmy_relays({"Range": value}))
    assert answer.status == status and answer.headers["Content-Range"].endswith(f"/{len(whole)}")
    if status == 206:
        assert answer.body in whole and answer.headers["Content-Type"].startswith("video/")


@pytest.mark.parametrize("data,parameters,code,status", rows(
    ("1.1 max_frame_count=5 of a WebM", WEBM, "max_frame_count=5", None, 201),
    ("1.1 max_frame_count=4 of a WebM -> validate-frames", WEBM, "max_frame_count=4", "validate-frames", 400),
    ("1.1 max_frame_count=4 of an MP4 -> validate-frames", MP4, "max_frame_count=4", "validate-frames", 400),
    ("1.1 max_frame_count=4 of an APNG -> validate-frames", APNG, "max_frame_count=4", "validate-frames", 400),
    ("1.1 max_width=95 of a WebM -> validate-width", WEBM, "max_width=95", "validate-width", 400),
    ("1.1 max_height=63 of an MP4 -> validate-height", MP4, "max_height=63", "validate-height", 400),
    ("1.1 max_area=6143 of a WebM -> validate-area", WEBM, "max_area=6143", "validate-area", 400),
    ("1.1 max_file_size=0 of a WebM -> 413", WEBM, "max_file_size=0", "validate-file-size", 413),
    ("14 allow_video=false -> media-disallowed", WEBM, "allow_video=false", "media-disallowed", 400),
    ("14 allow_video=false of an MP4 -> media-disallowed", MP4, "allow_video=false", "media-disallowed", 400),
    ("1.1 allow_video=false of an APNG", APNG, "allow_video=false", None, 201),
    ("1.1 allow_animation=false of an APNG -> media-disallowed", APNG, "allow_animation=false", "media-disallowed", 400),
    ("1.1 allow_animation=false of a WebM", WEBM, "allow_animation=false", None, 201),
    ("1.1 allow_image=false of a WebM", WEBM, "allow_image=false", None, 201),
    ("1.1 Lemmy 1.0, an avatar -> media-disallowed", MP4, "resize=512&allow_animation=false&allow_video=false", "media-disallowed", 400),
    ("1.1 a video of 16 x 3841 -> validate-height", TALL, "", "validate-height", 400),
    ("1.1 a video of 901 frames -> validate-frames", LONG, "", "validate-frames", 400),
))
def test_limits_hold_for_what_moves(gate, data, parameters, code, status):
    answer = upload(gate, data, parameters)
    if code:
        is_refusal(answer, code, status)
    else:
        is_taken(answer)


@pytest.mark.parametrize("operations", ["resize=48", "thumbnail=48", "crop=1x1", "blur=3", "crop=1x1&resize=32", "identity=true", "allow_video=true&resize=48"],
                         ids=lambda o: f"1.1 {o} is ignored for video")
@pytest.mark.parametrize("data", VIDEOS)
def test_operations_on_upload_are_not_for_videos(gate, data, operations):
    assert sizes(stored(gate, data, operations)["details"]) == (96, 64)


@pytest.mark.parametrize("operations,size", [("resize=48", (48, 32)), ("crop=1x1", (64, 64))], ids=lambda o: f"1.1 {o} of an APNG")
def test_operations_on_upload_hold_for_moving_pngs(gate, operations, size):
    details = stored(gate, APNG, operations)["details"]
    assert (sizes(details), details["frames"], details["content_type"]) == (size, 5, "image/apng")


@pytest.mark.parametrize("parameters,code", rows(
    ("1.1 blur=NaN with a video -> invalid-process-path", "blur=NaN", "invalid-process-path"),
    ("1.1 foo=bar with a video -> invalid-process-path", "foo=bar", "invalid-process-path"),
    ("3 max_width=abc with a video -> invalid-query", "max_width=abc", "invalid-query")))
def test_a_bad_query_is_refused_with_a_video_too(gate, parameters, code):
    is_refusal(upload(gate, WEBM, parameters), code)


@pytest.mark.parametrize("data", rows(
    ("half an MP4", MP4[:5_000]), ("half a WebM", WEBM[:5_000]), ("an MP4's head", MP4[:44]), ("a WebM's head", WEBM[:60]),
    ("an MP4 of nothing", b"\0\0\0\x18ftypisom\0\0\2\0isomav01" + bytes(400)), ("half an APNG", APNG[:20_000])))
def test_half_a_video_is_refused(gate, data):
    """1.1 -> 400 command-failure"""
    before = set(gate.blobs())
    is_refusal(upload(gate, data), contract.CANNOT_DECODE)
    assert not set(gate.blobs()) - before


def test_a_moving_avif_never_hides_frames(gate):
    """14 pict-rs takes it for a video/mp4; refused, or taken with all its frames"""
    answer = upload(gate, AVIF)
    if answer.status != 201:
        is_refusal(answer, ("media-disallowed", *contract.CANNOT_DECODE))
        return
    file, = is_taken(answer)
    assert file["details"]["frames"] == 5 and file["details"]["format"] in ("Animation", "Video")


@pytest.mark.parametrize("make", rows(("a frame of an APNG", videos.apng), ("a frame of a WebM", videos.webm), ("a frame of an MP4", videos.mp4)))
@pytest.mark.parametrize("frame", [0, 2, 4])
def test_every_frame_is_looked_at(gate, tmp_path, make, frame):
    """3 a listed picture in any frame -> 400 failed-external-validation"""
    seed, size = 70 + frame, (320, 240)
    (tmp_path / "frame.png").write_bytes(pictures.encode(videos.still_frames(seed, 5, *size)[frame], "PNG"))
    pdq = json.loads(gate.cli("scan", tmp_path / "frame.png", "--json").stdout)["pdq"][0]
    assert pdq["quality"] >= 50
    gate.add_list("own/frames", "pdq", [pdq["hash"]])
    try:
        is_refusal(upload(gate, make(seed, 5, *size)), REFUSED)
    finally:
        gate.remove_list("own/frames")


# --- variants ---

@pytest.mark.parametrize("ext,content_type,format", rows(
    ("1.3 video -> webp", "webp", "image/webp", "WEBP"), ("1.3 video -> jpg", "jpg", "image/jpeg", "JPEG"), ("1.3 video -> png", "png", "image/png", "PNG"),
    ("1.3 video -> avif", "avif", "image/avif", "AVIF")))
@pytest.mark.parametrize("operations,size", [("", (96, 64)), ("thumbnail=48", (48, 32)), ("crop=1x1", (64, 64)), ("resize=30&blur=1", (30, 20)), ("thumbnail=500", (96, 64))])
@pytest.mark.parametrize("data", VIDEOS)
def test_a_video_has_one_frame_as_its_variant(gate, data, ext, content_type, format, operations, size):
    alias = stored(gate, data)["file"]
    answer = process(gate, alias, operations, ext)
    assert answer.status == 200, answer
    shown = pictures.decode(answer.body)
    assert (answer.headers["Content-Type"], shown.format, shown.size, getattr(shown, "n_frames", 1)) == (content_type, format, size, 1)
    details = gate.get(f"/image/details/process.{ext}?src={alias}&{operations}").json()
    assert (sizes(details), details["format"], details["frames"]) == (size, "Image", None)


@pytest.mark.parametrize("data,seed", rows(("1.3 MP4 -> its picture", MP4, 1), ("1.3 WebM -> its picture", WEBM, 2)))
def test_the_picture_of_a_video_is_one_of_its_frames(gate, data, seed):
    shown = pictures.decode(process(gate, stored(gate, data)["file"], "", "png").body).convert("RGB")
    assert min(pictures.difference(shown, frame) for frame in videos.still_frames(seed, 5, 96, 64)) < 15


def test_a_video_has_relayed_variants(gate):
    """4 process.jpg?src=A&thumbnail=48 as Lemmy's pages ask"""
    alias = stored(gate, MP4)["file"]
    assert pictures.decode(process(gate, alias, "thumbnail=48", "jpg", wire.as_lemmy_relays()).body).size == (48, 32)


@pytest.mark.parametrize("ext", ["mp4", "webm", "mov", "mkv"], ids=lambda e: f"1.3 process.{e} of a video -> 400 invalid-file-extension")
def test_no_variant_is_a_video(gate, ext):
    is_error(process(gate, stored(gate, MP4)["file"], ext=ext), 400, "invalid-file-extension")


def test_a_still_as_apng_has_one_frame(gate, still):
    """1.3 still -> apng"""
    answer = process(gate, still, "thumbnail=64", "apng")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/apng"
    shown = pictures.decode(answer.body)
    assert (shown.format, shown.size, getattr(shown, "n_frames", 1)) == ("PNG", (64, 48), 1)


@pytest.mark.parametrize("data,ext,frames,format", rows(
    ("1.3 GIF -> apng moves", pictures.animation(8, 5, 96, 64), "apng", 5, "PNG"), ("1.3 APNG -> apng moves", APNG, "apng", 5, "PNG"),
    ("1.3 APNG -> webp moves", APNG, "webp", 5, "WEBP"), ("1.3 APNG -> gif moves", APNG, "gif", 5, "GIF"),
    ("13 APNG -> avif is its first frame, since libvips writes no other", APNG, "avif", 1, "AVIF"),
    ("1.3 APNG -> png is its first frame", APNG, "png", 1, "PNG"), ("1.3 APNG -> jpg is its first frame", APNG, "jpg", 1, "JPEG")))
@pytest.mark.parametrize("operations,size", [("", (96, 64)), ("thumbnail=48", (48, 32))])
def test_a_moving_png_in_another_format(gate, data, ext, frames, format, operations, size):
    answer = process(gate, stored(gate, data)["file"], operations, ext)
    assert answer.status == 200, answer
    shown = pictures.decode(answer.body)
    assert (shown.format, shown.size, getattr(shown, "n_frames", 1)) == (format, size, frames)


# --- of other sites ---

@pytest.mark.parametrize("data,content_type", rows(("5 an MP4", MP4, "video/mp4"), ("5 a WebM", WEBM, "video/webm"), ("5 an APNG", APNG, "image/apng")))
def test_what_moves_elsewhere(gate, data, content_type):
    """5 download and ?proxy= take what an upload takes"""
    with Origin({"/film": ("application/octet-stream", data)}) as origin:
        url = quoted(origin.url("/film"))
        file, = is_taken(gate.get(f"/image/download?url={url}"))
        assert (file["details"]["content_type"], file["details"]["frames"]) == (content_type, 5)
        answer = gate.get(f"/image/original?proxy={url}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
        small = gate.get(f"/image/process.webp?proxy={url}&thumbnail=48")
        assert small.status == 200 and pictures.decode(small.body).size == (48, 32)


def test_a_download_may_refuse_videos(gate):
    """1.1 download&allow_video=false -> 400 media-disallowed"""
    with Origin({"/film.webm": ("video/webm", WEBM)}) as origin:
        is_error(gate.get(f"/image/download?url={quoted(origin.url('/film.webm'))}&allow_video=false"), 400, "media-disallowed")
