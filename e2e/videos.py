"""Ordinary videos and moving PNGs made from a number. The frames come out of Pillow's WebP and AVIF, whose coded data are those
of VP8 and AV1; only the containers are made here."""
import struct

import pictures


def apng(seed=1, frames=5, width=96, height=64):
    return pictures.animation(seed, frames, width, height, kind="PNG")


def still_frames(seed, frames, width, height):
    """What pictures.animation() shows."""
    return [pictures.photo(seed * 1000 + i, width, height) for i in range(frames)]


# --- WebM: VP8 key frames ---

def element(identity, content):
    """An EBML element; sizes are written in eight bytes."""
    return bytes.fromhex(identity) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def number(identity, value):
    return element(identity, value.to_bytes(4, "big"))


def webm(seed=1, frames=5, width=96, height=64, milliseconds=100):
    pieces = [vp8(picture) for picture in still_frames(seed, frames, width, height)]
    video = element("e0", number("b0", width) + number("ba", height))
    track = element("ae", number("d7", 1) + number("73c5", 1) + number("83", 1) + element("86", b"V_VP8") + video)
    duration = struct.pack(">d", frames * milliseconds)
    info = element("1549a966", number("2ad7b1", 1_000_000) + element("4489", duration) + element("4d80", b"e2e") + element("5741", b"e2e"))
    clusters = b"".join(element("1f43b675", number("e7", i * milliseconds) + element("a3", b"\x81\0\0\x80" + piece)) for i, piece in enumerate(pieces))
    head = element("1a45dfa3", number("4286", 1) + number("42f7", 1) + number("42f2", 4) + number("42f3", 8) + element("4282", b"webm")
                   + number("4287", 2) + number("4285", 2))
    return head + element("18538067", info + element("1654ae6b", track) + clusters)


def vp8(picture):
    """A WebP's coded data without its container."""
    data = pictures.encode(picture, "WEBP", quality=80)
    assert data[12:16] == b"VP8 ", "lossy, without alpha or metadata"
    return data[20:20 + struct.unpack("<I", data[16:20])[0]]


# --- MP4: AV1 ---

def mp4(seed=1, frames=5, width=96, height=64):
    """A moving AVIF holds a film already; this calls it one."""
    data = bytearray(pictures.animation(seed, frames, width, height, kind="AVIF", quality=70))
    brands = struct.unpack(">I", data[:4])[0]
    data[8:brands] = (b"isom\0\0\2\0" + b"isomiso2av01mp41" * 4)[:brands - 8]
    for place, content in boxes(data):
        if place == ["meta"]:
            data[content - 4:content] = b"free"
        elif place[-1] == "hdlr":
            data[content + 8:content + 12] = b"vide"
        elif place[-1] == "elst":
            data[content + 1:content + 4] = b"\0\0\0"  # plays once
        elif place[-1] in ("mvhd", "tkhd"):
            length = content + 4 + (20 if place[-1] == "mvhd" else 24)
            data[length:length + 8] = struct.pack(">Q", frames * 100)  # rather than for ever
    return bytes(data)


def boxes(data, begin=0, end=None, inside=()):
    """(path of names, where the content begins) of each box."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size, name = struct.unpack(">I4s", data[begin:begin + 8])
        place = [*inside, name.decode("latin-1")]
        yield place, begin + 8
        if place[-1] in ("moov", "trak", "mdia", "edts"):
            yield from boxes(data, begin + 8, begin + size, place)
        begin += size
