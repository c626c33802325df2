"""The pict-rs contract: sizes and looks of stored pictures, row by row."""
import contract
import numpy
import pictures
import pytest
import wire
from contract import API_KEY, UNKNOWN, is_error, is_nothing, query, rows, stored
from gate import wait_until
from PIL import Image, ImageFilter

PHOTO = pictures.photo(1)  # 640 x 480
EACH_WAY = pytest.mark.parametrize("headers", [(), wire.as_lemmy_asks()], ids=["direct", "as Lemmy asks"])


@pytest.fixture(scope="module")
def gate(binaries, room):
    with contract.running(binaries, room) as gate:
        yield gate


@pytest.fixture(scope="module")
def narrow(binaries, room):
    """A site that allows two operations, and caches for a minute."""
    with contract.running(binaries, room, media={"filters": ["resize", "thumbnail"], "cache_max_age": "60s"}) as gate:
        yield gate


@pytest.fixture(scope="module")
def still(gate):
    return stored(gate, pictures.encode(PHOTO, "PNG"))["file"]


@pytest.fixture(scope="module")
def moving(gate):
    return stored(gate, pictures.animation(2, frames=5, width=160, height=120))["file"]


def process(gate, alias, operations="", ext="webp", headers=(), method="GET", key="src"):
    return gate.request(method, f"/image/process.{ext}?{key}={alias}{'&' if operations else ''}{operations}", headers)


def picture(answer):
    assert answer.status == 200, answer
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    return pictures.decode(answer.body)


# --- formats ---

@pytest.mark.parametrize("ext,content_type,format", rows(
    ("1.3 still -> avif", "avif", "image/avif", "AVIF"), ("1.3 still -> jpeg", "jpeg", "image/jpeg", "JPEG"),
    ("1.3 still -> jpg is jpeg", "jpg", "image/jpeg", "JPEG"), ("1.3 still -> png", "png", "image/png", "PNG"),
    ("1.3 still -> webp", "webp", "image/webp", "WEBP"), ("1.3 still -> gif", "gif", "image/gif", "GIF")))
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_a_still_in_another_format(gate, still, ext, content_type, format, headers):
    answer = process(gate, still, ext=ext, headers=headers)
    made = picture(answer)
    assert (answer.headers["Content-Type"], made.format, made.size) == (content_type, format, (640, 480))
    assert pictures.difference(made.convert("RGB"), PHOTO) < 12, "it shows the same"


def test_a_still_as_jpeg_xl(gate, still):
    """1.3 still -> jxl; its size stands in the details"""
    answer = process(gate, still, "thumbnail=96", ext="jxl")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/jxl"
    assert answer.body.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")), answer.body[:16]
    details = gate.get(f"/image/details/process.jxl?src={still}&thumbnail=96").json()
    assert (details["width"], details["height"], details["content_type"]) == (96, 72, "image/jxl")


@pytest.mark.parametrize("ext,frames,content_type", rows(
    ("1.3 animation -> webp moves", "webp", 5, "image/webp"), ("1.3 animation -> gif moves", "gif", 5, "image/gif"),
    ("13 animation -> avif is its first frame, since libvips writes no other", "avif", 1, "image/avif"),
    ("1.3 animation -> jpg is its first frame", "jpg", 1, "image/jpeg"),
    ("1.3 animation -> png is its first frame", "png", 1, "image/png")))
@pytest.mark.parametrize("operations,size", [("", (160, 120)), ("thumbnail=64", (64, 48)), ("crop=1x1", (120, 120))])
def test_an_animation_in_another_format(gate, moving, ext, frames, content_type, operations, size):
    answer = process(gate, moving, operations, ext)
    made = picture(answer)
    assert (getattr(made, "n_frames", 1), answer.headers["Content-Type"], made.size) == (frames, content_type, size)
    details = gate.get(f"/image/details/process.{ext}?src={moving}&{operations}").json()
    assert (details["frames"], details["format"]) == ((5, "Animation") if frames == 5 else (None, "Image"))


def test_what_moves_shows_its_first_frame_when_it_stands_still(gate, moving):
    """1.3 animation -> png: the first frame and no other"""
    made = picture(process(gate, moving, ext="png")).convert("RGB")
    assert pictures.difference(made, pictures.photo(2000, 160, 120)) < pictures.difference(made, pictures.photo(2001, 160, 120)) / 2


@pytest.mark.parametrize("ext", ["bmp", "tiff", "svg", "heic", "ico", "mp4", "webm", "pdf", "exe", "webp2", "web", "", "webp.webp", "WEBP%00"],
                         ids=lambda e: f"1.3 process.{e} -> 400 invalid-file-extension")
@pytest.mark.parametrize("place", ["process", "details/process", "process_backgrounded"])
def test_a_format_that_does_not_exist(gate, still, ext, place):
    is_error(gate.get(f"/image/{place}.{ext}?src={still}"), 400, "invalid-file-extension")


# --- operations ---

SIZES = rows(
    ("1.3 no operation", "", (640, 480)),
    ("1.3 identity", "identity=true", (640, 480)),
    ("1.3 identity with any value", "identity=", (640, 480)),
    ("1.3 thumbnail=96", "thumbnail=96", (96, 72)),
    ("1.3 thumbnail=256", "thumbnail=256", (256, 192)),
    ("1.3 thumbnail=1", "thumbnail=1", (1, 1)),
    ("1.3 thumbnail=640 is the whole", "thumbnail=640", (640, 480)),
    ("1.3 thumbnail=641 makes nothing larger", "thumbnail=641", (640, 480)),
    ("1.3 thumbnail=65536 is over u16", "thumbnail=65536", (640, 480)),
    ("1.3 thumbnail=4294967295 is giant", "thumbnail=4294967295", (640, 480)),
    ("1.3 resize=300", "resize=300", (300, 225)),
    ("1.3 resize=1000 makes nothing larger", "resize=1000", (640, 480)),
    ("1.3 resize=70000 is over u16", "resize=70000", (640, 480)),
    ("1.3 resize=4294967295 is giant", "resize=4294967295", (640, 480)),
    ("1.3 resize=Lanczos.300", "resize=Lanczos.300", (300, 225)),
    ("1.3 resize=LanczosSharp.300", "resize=LanczosSharp.300", (300, 225)),
    ("1.3 resize=Lanczos2.300", "resize=Lanczos2.300", (300, 225)),
    ("1.3 resize=Lanczos2Sharp.300", "resize=Lanczos2Sharp.300", (300, 225)),
    ("1.3 resize=Mitchell.300", "resize=Mitchell.300", (300, 225)),
    ("1.3 resize=RobidouxSharp.300", "resize=RobidouxSharp.300", (300, 225)),
    ("1.3 resize=lanczos2sharp.300: any case", "resize=lanczos2sharp.300", (300, 225)),
    ("1.3 resize=MITCHELL.300: any case", "resize=MITCHELL.300", (300, 225)),
    ("14 resize=Foo.100: an unknown filter is resized", "resize=Foo.100", (100, 75)),
    ("1.3 resize=.a10000: an area", "resize=.a10000", (115, 86)),
    ("1.3 resize=Mitchell.a10000", "resize=Mitchell.a10000", (115, 86)),
    ("1.3 resize=.a400000 makes nothing larger", "resize=.a400000", (640, 480)),
    ("1.3 resize=.a4294967295 is giant", "resize=.a4294967295", (640, 480)),
    ("1.3 crop=1x1", "crop=1x1", (480, 480)),
    ("1.3 crop=4x3 is the whole", "crop=4x3", (640, 480)),
    ("1.3 crop=16x9", "crop=16x9", (640, 360)),
    ("1.3 crop=1x20", "crop=1x20", (24, 480)),
    ("1.3 crop=20x1", "crop=20x1", (640, 32)),
    ("1.3 crop=20x20", "crop=20x20", (480, 480)),
    ("1.3 blur=0", "blur=0", (640, 480)),
    ("1.3 blur=2.5", "blur=2.5", (640, 480)),
    ("1.3 thumbnail then blur", "thumbnail=96&blur=2", (96, 72)),
    ("1.3 blur then thumbnail", "blur=2&thumbnail=96", (96, 72)),
    ("1.3 crop then resize", "crop=1x1&resize=300", (300, 300)),
    ("1.3 resize then crop", "resize=300&crop=1x1", (225, 225)),
    ("1.3 crop then thumbnail", "crop=16x9&thumbnail=64", (64, 36)),
    ("1.3 crop twice", "crop=1x1&crop=2x1", (480, 240)),
    ("1.3 thumbnail twice, smaller", "thumbnail=200&thumbnail=100", (100, 75)),
    ("1.3 thumbnail twice, larger", "thumbnail=100&thumbnail=200", (100, 75)),
    ("1.3 thumbnail then resize", "thumbnail=200&resize=100", (100, 75)),
    ("1.3 all four", "crop=2x1&resize=200&blur=1.5&thumbnail=50", (50, 25)),
    ("1.3 all four and identity, another order", "identity=x&thumbnail=200&blur=1&crop=1x1&resize=50", (50, 50)),
    ("1.3 unknown keys are dropped", "foo=bar&filter_type=Mitchell&thumbnail=96&max_width=1", (96, 72)),
)


@pytest.mark.parametrize("operations,size", SIZES)
def test_the_size_of_a_variant(gate, still, operations, size):
    made = picture(process(gate, still, operations)).size
    assert all(abs(a - b) <= 1 for a, b in zip(made, size)), made
    details = gate.get(f"/image/details/process.webp?src={still}&{operations}")
    assert details.status == 200, details
    contract.are_details(details.json())
    assert (details.json()["width"], details.json()["height"]) == made


def test_an_area_is_never_exceeded(gate, still):
    """1.3 resize=.aN: at most N pixels, and of the same shape"""
    for area in (10_000, 5_000, 99):
        width, height = picture(process(gate, still, f"resize=.a{area}")).size
        assert area * 0.8 <= width * height <= area and abs(width / height - 4 / 3) < 0.15, (width, height)


@pytest.mark.parametrize("operations,wanted", rows(
    ("1.3 crop takes the middle", "crop=1x1", PHOTO.crop((80, 0, 560, 480))),
    ("1.3 crop takes the middle, upright", "crop=1x2", PHOTO.crop((200, 0, 440, 480))),
    ("1.3 resize shows the same", "resize=320", PHOTO.resize((320, 240), Image.Resampling.LANCZOS)),
    ("1.3 thumbnail shows the same", "thumbnail=320", PHOTO.resize((320, 240), Image.Resampling.LANCZOS)),
    ("1.3 blur has the sigma that was asked for", "blur=6", PHOTO.filter(ImageFilter.GaussianBlur(6))),
    ("1.3 crop then blur", "crop=1x1&blur=3", PHOTO.crop((80, 0, 560, 480)).filter(ImageFilter.GaussianBlur(3))),
))
def test_what_a_variant_shows(gate, still, operations, wanted):
    made = picture(process(gate, still, operations, ext="png")).convert("RGB")
    assert made.size == wanted.size and pictures.difference(made, wanted) < 4


def test_the_order_of_operations_counts(gate, still):
    """1.3 blur=8&thumbnail=96 and thumbnail=96&blur=8 are two pictures"""
    first = picture(process(gate, still, "blur=8&thumbnail=96", ext="png"))
    second = picture(process(gate, still, "thumbnail=96&blur=8", ext="png"))
    smooth = [numpy.abs(numpy.diff(pictures.pixels(pictures.encode(p, "PNG")), axis=1)).mean() for p in (first, second)]
    assert first.size == second.size and smooth[1] < smooth[0] / 2, "a blur of a small picture reaches farther"


BAD = [
    "thumbnail=", "thumbnail", "thumbnail=abc", "thumbnail=-1", "thumbnail=1.5", "thumbnail=0", "thumbnail=%2B5", "thumbnail=0x10",
    "thumbnail=18446744073709551616", "thumbnail=96x96", "thumbnail=%2096",
    "resize=", "resize=abc", "resize=-5", "resize=0", "resize=.", "resize=.a", "resize=.a0", "resize=a10000", "resize=Lanczos.",
    "resize=Lanczos.a", "resize=Lanczos.a0", "resize=Lanczos.0", "resize=100.Lanczos", "resize=Lanczos", "resize=Lanczos.-1",
    "resize=18446744073709551616", "resize=.a18446744073709551616", "resize=Lanczos.a1.5",
    "crop=", "crop=1", "crop=x", "crop=1x", "crop=x1", "crop=0x1", "crop=1x0", "crop=21x1", "crop=1x21", "crop=-1x1", "crop=1.5x1",
    "crop=axb", "crop=1x1x1", "crop=1:1", "crop=4294967297x1",
    "blur=", "blur=NaN", "blur=nan", "blur=inf", "blur=-inf", "blur=-1", "blur=abc", "blur=1e39", "blur=1,5", "blur=101",
    "thumbnail=96&crop=0x1", "crop=1x1&blur=NaN", "thumbnail=96&thumbnail=x",
]


@pytest.mark.parametrize("operations", BAD, ids=lambda o: f"1.3 {o} -> 400 invalid-process-path")
def test_an_operation_that_cannot_be_done(gate, still, operations):
    for place in ("process", "details/process", "process_backgrounded"):
        is_error(gate.get(f"/image/{place}.webp?src={still}&{operations}"), 400, "invalid-process-path")
    assert process(gate, still, operations, method="HEAD").status == 400


def test_a_bad_operation_comes_before_an_unknown_alias(gate):
    """14 unknown alias and a bad operation -> 400 invalid-process-path"""
    is_error(process(gate, UNKNOWN, "blur=NaN"), 400, "invalid-process-path")
    is_error(process(gate, UNKNOWN, ext="bmp"), 400, "invalid-file-extension")


@pytest.mark.parametrize("operations", ["blur=3&thumbnail=96", "crop=1x1&thumbnail=96", "blur=NaN&thumbnail=96", "crop=0x0&thumbnail=96"],
                         ids=lambda o: f"1.3 {o} where only resize and thumbnail are allowed")
def test_operations_that_the_site_does_not_allow_are_dropped(narrow, operations):
    alias = stored(narrow, pictures.jpeg(3))["file"]
    assert picture(process(narrow, alias, operations)).size == (96, 72)
    assert process(narrow, alias, operations).body == process(narrow, alias, "thumbnail=96").body


def test_the_sites_own_cache_time_holds_for_variants_and_originals(narrow):
    """1.2 Cache-Control is the site's"""
    alias = stored(narrow, pictures.jpeg(4))["file"]
    assert process(narrow, alias, "thumbnail=96").headers["Cache-Control"] == "public, max-age=60"
    assert narrow.get(f"/image/original/{alias}").headers["Cache-Control"] == "public, max-age=60"


# --- which picture ---

@pytest.mark.parametrize("key", ["src", "alias"], ids=lambda k: f"1.3 process.webp?{k}=")
def test_a_picture_is_named_by(gate, still, key):
    assert picture(process(gate, still, "thumbnail=96", key=key)).size == (96, 72)
    assert gate.get(f"/image/process.webp?thumbnail=96&{key}={still}").status == 200, "anywhere in the query"
    assert gate.get(f"/image/details/process.webp?thumbnail=96&{key}={still}").status == 200


@pytest.mark.parametrize("parameters", ["", "thumbnail=96", "foo=bar", "source=a.jpeg"],
                         ids=lambda p: f"14 process.webp?{p} -> 400 invalid-query")
@pytest.mark.parametrize("place", ["process", "details/process", "process_backgrounded"])
def test_without_a_picture_there_is_no_variant(gate, parameters, place):
    is_error(gate.get(f"/image/{place}.webp?{parameters}"), 400, "invalid-query")


def test_an_unknown_alias_has_no_variant(gate):
    """1.2 unknown alias -> 404 empty; details say alias-not-found; in the background 404 empty"""
    is_nothing(process(gate, UNKNOWN, "thumbnail=96"))
    is_nothing(process(gate, UNKNOWN, "thumbnail=96", method="HEAD"))
    is_nothing(process(gate, UNKNOWN, "thumbnail=96", headers=wire.as_lemmy_relays()))
    is_error(gate.get(f"/image/details/process.webp?src={UNKNOWN}&thumbnail=96"), 404, "alias-not-found")
    is_nothing(gate.get(f"/image/process_backgrounded.webp?src={UNKNOWN}&thumbnail=96"))


@pytest.mark.parametrize("alias", [
    "..", ".", "%2e%2e", "..%2f..%2fportcullis.toml", "%2e%2e%2fdata%2fportcullis.sqlite", "a%00b", "a%2fb", "a%5cb", "a%25b", "%252e%252e",
    "a%0d%0aX:%20y", "a;b", "a%20b", "%E2%80%AE.jpeg", "a" * 200, "{alias}%2f", "%2f{alias}", "{alias}%00", "{alias}%20", "x%2f..%2f{alias}",
])
@pytest.mark.parametrize("headers", [(), wire.as_lemmy_relays()], ids=["direct", "relayed"])
def test_an_alias_in_a_query_is_a_plain_word(gate, still, alias, headers):
    """4 what is no alias is 404, whoever asks"""
    alias = alias.format(alias=still)
    assert process(gate, alias, "thumbnail=96", headers=headers).status == 404
    if not headers:
        for target in (f"/image/original?alias={alias}", f"/image/details/original?alias={alias}", f"/image/blurhash?alias={alias}",
                       f"/image/details/process.webp?alias={alias}"):
            assert gate.get(target).status == 404, target


# --- headers, conditions, ranges, HEAD ---

@EACH_WAY
def test_a_variant_is_served_like_an_original(gate, still, headers):
    """1.3 ETag, Last-Modified, Accept-Ranges, Cache-Control, Range, 304"""
    whole = process(gate, still, "thumbnail=128", headers=headers)
    assert whole.status == 200 and len(whole.body) == int(whole.headers["Content-Length"])
    assert whole.headers["Accept-Ranges"] == "bytes" and whole.headers["Cache-Control"] == "public, max-age=86400"
    assert whole.headers["ETag"] != gate.get(f"/image/original/{still}").headers["ETag"] and whole.headers["Last-Modified"]
    part = process(gate, still, "thumbnail=128", headers=[*headers, ("Range", "bytes=3-9")])
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, whole.body[3:10], f"bytes 3-9/{len(whole.body)}")
    beyond = process(gate, still, "thumbnail=128", headers=[*headers, ("Range", "bytes=99999999-")])
    assert (beyond.status, beyond.body, beyond.headers["Content-Range"]) == (416, b"", f"bytes */{len(whole.body)}")
    same = process(gate, still, "thumbnail=128", headers=[*headers, ("If-None-Match", whole.headers["ETag"])])
    assert (same.status, same.body) == (304, b"")


def test_a_relayed_variant_is_never_304(gate, still):
    """4 conditions do not count for relayed requests"""
    whole = process(gate, still, "thumbnail=128", headers=wire.as_lemmy_relays())
    for name, value in (("If-None-Match", whole.headers["ETag"]), ("If-None-Match", "*"), ("If-Modified-Since", whole.headers["Last-Modified"])):
        again = process(gate, still, "thumbnail=128", headers=wire.as_lemmy_relays([(name, value)]))
        assert (again.status, again.body) == (200, whole.body)


def test_head_makes_nothing(gate):
    """1.3 HEAD of what was not made -> 404; of what was made -> the headers of GET"""
    alias = stored(gate, pictures.jpeg(5))["file"]
    is_nothing(process(gate, alias, "thumbnail=80", method="HEAD"))
    is_error(gate.get(f"/image/details/process.webp?src={alias}&thumbnail=80"), 404, "alias-not-found")
    is_nothing(process(gate, alias, "thumbnail=80", method="HEAD"))
    made = process(gate, alias, "thumbnail=80")
    head = process(gate, alias, "thumbnail=80", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Cache-Control", "Accept-Ranges"):
        assert head.headers[name] == made.headers[name], name
    is_nothing(process(gate, alias, "thumbnail=81", method="HEAD"))
    assert gate.get(f"/image/details/process.webp?src={alias}&thumbnail=80").json()["width"] == 80


def test_jpg_and_jpeg_are_one_variant(gate, still):
    """1.3 the key says jpeg for both"""
    made = process(gate, still, "thumbnail=77", ext="jpg")
    head = process(gate, still, "thumbnail=77", ext="jpeg", method="HEAD")
    assert (head.status, head.headers["ETag"]) == (200, made.headers["ETag"])


def test_a_variant_is_made_once(gate, still):
    """1.3 the same again is the same bytes"""
    first, second = (process(gate, still, "thumbnail=90") for _ in range(2))
    assert first.body == second.body and first.headers["Last-Modified"] == second.headers["Last-Modified"]


def test_a_variant_in_the_background(gate):
    """1.3 process_backgrounded -> 202 empty, then it is there; 202 again when it is"""
    alias = stored(gate, pictures.jpeg(6))["file"]
    target = f"/image/process_backgrounded.webp?{query(src=alias, thumbnail=70)}"
    is_nothing(gate.get(target), 202)
    wait_until("the variant is made", lambda: process(gate, alias, "thumbnail=70", method="HEAD").status == 200)
    is_nothing(gate.get(target), 202)


def test_a_transparent_picture_keeps_its_transparency_where_it_can(gate):
    """1.3 PNG with alpha -> webp, png, avif keep it; jpg has none"""
    alias = stored(gate, pictures.transparent(7))["file"]
    for ext in ("webp", "png", "avif"):
        alpha = picture(process(gate, alias, "thumbnail=80", ext=ext)).convert("RGBA").getchannel("A")
        assert alpha.getextrema() == (0, 255), ext
    assert picture(process(gate, alias, "thumbnail=80", ext="jpg")).mode in ("RGB", "L")


# --- what else may ask, and what happens to them ---

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"], ids=lambda m: f"14 {m} process -> 404 empty")
def test_a_variant_is_a_get(gate, still, method):
    for place in ("process", "details/process", "process_backgrounded"):
        is_nothing(gate.request(method, f"/image/{place}.webp?src={still}&thumbnail=96"))
    for place in ("details/process", "process_backgrounded"):
        is_nothing(gate.request("HEAD", f"/image/{place}.webp?src={still}&thumbnail=96"))


@pytest.mark.parametrize("parameters", [
    "alias={alias}&thumbnail=96", "thumbnail=96&src={alias}", "src={alias}&resize=96", "src={alias}&crop=1x1", "src={alias}&blur=1",
    "src={alias}&thumbnail=96&blur=1", "src={alias}&thumbnail=96&thumbnail=97", "src={alias}&thumbnail=-1", "src={alias}&thumbnail=abc",
    "src={alias}&thumbnail=", "src={alias}&foo=bar", "src={alias}&identity=true", "src={alias}&alias={alias}", "src={alias}&src={alias}",
    "src={alias}&proxy=http%3A%2F%2F127.0.0.1%2Fa.png", "thumbnail=96", "",
], ids=lambda p: f"4 relayed process.webp?{p} -> 404")
def test_relayed_variants_have_one_shape(gate, still, parameters):
    is_nothing(gate.get(f"/image/process.webp?{parameters.format(alias=still)}", wire.as_lemmy_relays()))


@pytest.mark.parametrize("method,place", [("HEAD", "process"), ("GET", "details/process"), ("GET", "process_backgrounded"), ("POST", "process")])
def test_relayed_requests_for_anything_else_are_nothing(gate, still, method, place):
    """4 whatever key they bring"""
    picture(process(gate, still, "thumbnail=96"))
    is_nothing(gate.request(method, f"/image/{place}.webp?src={still}&thumbnail=96", wire.as_lemmy_relays([("X-Api-Token", API_KEY)])))


def test_variants_go_with_their_picture(gate):
    """2 after a deletion variant and original are 404, and nothing of either stays on disk"""
    before = set(gate.blobs())
    file = stored(gate, pictures.jpeg(8))
    picture(process(gate, file["file"], "thumbnail=60"))
    assert len(set(gate.blobs()) - before) == 2
    assert gate.request("DELETE", f"/image/delete/{file['delete_token']}/{file['file']}").status == 204
    is_nothing(process(gate, file["file"], "thumbnail=60"))
    is_nothing(process(gate, file["file"], "thumbnail=60", method="HEAD"))
    wait_until("both blobs go", lambda: not set(gate.blobs()) - before)
