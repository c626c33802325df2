"""Ordinary pictures made from a number, the same each time: soft noise and shapes, in every format and shape needed."""
import io
import struct
import zlib

import numpy
from PIL import Image, ImageDraw

MARKER = b"e2e-marker-that-must-not-be-stored"


def photo(seed, width=640, height=480):
    """Like a photograph to a perceptual hash: structure at every scale, no two seeds alike."""
    noise = numpy.random.default_rng(seed)
    picture = numpy.zeros((height, width, 3))
    for cells, weight in ((4, 110), (9, 80), (20, 45), (60, 14)):
        coarse = noise.random((cells, cells, 3)) * 255
        layer = Image.fromarray(coarse.astype("uint8")).resize((width, height), Image.Resampling.BICUBIC)
        picture += (numpy.asarray(layer, dtype=float) - 127) * weight / 110
    image = Image.fromarray(numpy.clip(picture + 127, 0, 255).astype("uint8"))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = noise.integers(0, width), noise.integers(0, height)
        w, h = noise.integers(width // 16 + 1, width // 4 + 2), noise.integers(height // 16 + 1, height // 4 + 2)
        shape = draw.ellipse if noise.random() < 0.5 else draw.rectangle
        shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(int(c) for c in noise.integers(0, 256, 3)))
    return image


def encode(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def decode(data):
    return Image.open(io.BytesIO(data))


def pixels(data, mode="RGB"):
    return numpy.asarray(decode(data).convert(mode), dtype=int)


def difference(a, b):
    """Mean difference of two pictures of one size, 0..255."""
    return float(numpy.abs(numpy.asarray(a, dtype=int) - numpy.asarray(b, dtype=int)).mean())


def jpeg(seed=1, width=640, height=480, **options):
    return encode(photo(seed, width, height), "JPEG", **{"quality": 90, **options})


def large(seed):
    """A JPEG of about 1 MB, by its grain."""
    image = numpy.asarray(photo(seed, 1600, 1200), dtype=int)
    grain = numpy.random.default_rng(seed).normal(0, 14, image.shape[:2] + (1,))
    return encode(Image.fromarray(numpy.clip(image + grain, 0, 255).astype("uint8")), "JPEG", quality=90)


def png(seed=1, width=320, height=240):
    return encode(photo(seed, width, height), "PNG")


def webp(seed=1, width=320, height=240, **options):
    return encode(photo(seed, width, height), "WEBP", **{"quality": 85, **options})


def tiny(seed):
    """Quick to decode, and unlike any other seed's."""
    return jpeg(seed, 96, 64)


def animation(seed=1, frames=5, width=96, height=64, kind="GIF", **options):
    first, *others = (photo(seed * 1000 + i, width, height) for i in range(frames))
    return encode(first, kind, save_all=True, append_images=others, duration=100, loop=0, **options)


def transparent(seed=1, width=160, height=120):
    """A PNG whose left half is fully transparent over colours that must not survive."""
    image = photo(seed, width, height).convert("RGBA")
    alpha = numpy.full((height, width), 255, dtype="uint8")
    alpha[:, :width // 2] = 0
    alpha[:, width // 2:width * 3 // 4] = 128
    image.putalpha(Image.fromarray(alpha))
    return encode(image, "PNG")


def deep_png(seed=1, width=160, height=120):
    """16 bits a channel, written by hand, because Pillow cannot."""
    rows = numpy.asarray(photo(seed, width, height)).astype(">u2") * 257
    return _png(width, height, 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def cmyk_jpeg(seed=1):
    return encode(photo(seed, 320, 240).convert("CMYK"), "JPEG", quality=90)


def _exif(orientation, thumbnail):
    """A TIFF block with an orientation, a text, a place on earth, and an embedded JPEG thumbnail."""
    text, small = MARKER + b"\0", thumbnail
    ifd0 = [(0x010E, 2, len(text), None), (0x0112, 3, 1, orientation), (0x8825, 4, 1, None)]
    at = 8 + 2 + 12 * len(ifd0) + 4
    text_at, at = at, at + len(text) + len(text) % 2
    gps_at, at = at, at + 2 + 12 * 2 + 4
    ifd1_at, at = at, at + 2 + 12 * 3 + 4
    block = b"II*\0" + struct.pack("<IH", 8, len(ifd0))
    block += struct.pack("<HHII", 0x010E, 2, len(text), text_at)
    block += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    block += struct.pack("<HHII", 0x8825, 4, 1, gps_at) + struct.pack("<I", ifd1_at)
    block += text + b"\0" * (len(text) % 2)
    block += struct.pack("<H", 2) + struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0") + struct.pack("<HHI4s", 3, 2, 2, b"E\0\0\0")
    block += struct.pack("<I", 0)
    block += struct.pack("<H", 3) + struct.pack("<HHIHH", 0x0103, 3, 1, 6, 0)
    block += struct.pack("<HHII", 0x0201, 4, 1, at) + struct.pack("<HHII", 0x0202, 4, 1, len(small)) + struct.pack("<I", 0)
    return b"Exif\0\0" + block + small


def camera_jpeg(seed=1, width=640, height=480, orientation=6):
    return as_camera_writes(jpeg(seed, width, height), orientation)


def as_camera_writes(plain, orientation=1):
    """A telephone's JPEG: EXIF with orientation, place and thumbnail, a comment, bytes after the end."""
    thumbnail = encode(photo(len(plain), 160, 120), "JPEG", comment=MARKER)
    block = _exif(orientation, thumbnail)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + (
        b"\xff\xfe" + struct.pack(">H", len(MARKER) + 2) + MARKER + plain[2:] + MARKER * 3)


def with_tail(data):
    return data + b"PK\3\4" + MARKER * 5


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width, height, depth, colour, raw, before=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + before
            + _chunk(b"IDAT", raw if isinstance(raw, _Packed) else zlib.compress(raw)) + _chunk(b"IEND", b""))


class _Packed(bytes):
    """Compressed already."""


def png_with_text(seed=1):
    data = png(seed)
    return data[:33] + _chunk(b"tEXt", b"Comment\0" + MARKER) + data[33:]


def bomb_png(side=50_000):
    """`side` x `side` in one colour: 300 KB that unfold to 300 MB in one bit a pixel, 10 GB as RGBA."""
    packer, row = zlib.compressobj(9), b"\0" + b"\0" * ((side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png(side, side, 1, 0, _Packed(packed))


def needle_png(width=1, height=60_000):
    return _png(width, height, 8, 2, (b"\0" + b"\x80\x40\x20" * width) * height)


def bomb_gif(frames=100_000, width=1, height=1):
    """Hand-written: each frame costs 24 bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    frame = b"\x21\xf9\x04\0\x01\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0"
    return head + loop + frame * frames + b"\x3b"


def huge_screen_gif():
    """Announces 65535 x 65535 pixels, on the screen and in its frame, and holds one."""
    return bomb_gif(1, 65_535, 65_535)
