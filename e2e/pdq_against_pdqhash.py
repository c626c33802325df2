"""Our PDQ against the package pdqhash, which wraps the C++ reference: the same pixels give the same
eight hashes and the same quality."""

import os
import pathlib
import struct
import subprocess

import numpy
import pdqhash
import pytest
from PIL import Image

ORIENTATIONS = ["original", "90", "180", "270", "flipX", "flipY", "flipPlus1", "flipMinus1"]
# (width, height): both sides of every step of the filter's window, thin ones, PDQ's own 64, the limit.
SIZES = [(5, 5), (5, 400), (400, 5), (63, 64), (64, 64), (65, 129), (127, 128), (128, 127), (129, 257),
         (200, 300), (256, 256), (300, 200), (383, 385), (511, 512), (512, 100), (512, 512)]


def noise(random, width, height):
    return random.integers(0, 256, (height, width, 3))


def coarse_noise(random, width, height):
    cells = random.integers(0, 256, (16, 16, 3))
    rows, columns = numpy.arange(height) * 16 // height, numpy.arange(width) * 16 // width
    return cells[rows][:, columns]


def gradient(random, width, height):
    y, x = numpy.mgrid[0:height, 0:width]
    slopes = random.uniform(-2, 2, (2, 3)) * 255
    return (x[..., None] / width * slopes[0] + y[..., None] / height * slopes[1]) % 256


def waves(random, width, height):
    y, x = numpy.mgrid[0:height, 0:width]
    picture = numpy.full((height, width, 3), 128.0)
    for _ in range(6):
        fx, fy = random.uniform(-12, 12, 2)
        wave = numpy.sin(2 * numpy.pi * (fx * x / width + fy * y / height) + random.uniform(0, 6))
        picture += wave[..., None] * random.uniform(-60, 60, 3)
    return picture.clip(0, 255)


def shapes(random, width, height):
    y, x = numpy.mgrid[0:height, 0:width]
    picture = numpy.zeros((height, width, 3))
    for _ in range(25):
        cx, cy = random.uniform(0, width), random.uniform(0, height)
        rx, ry = random.uniform(0.05, 0.4, 2) * (width, height)
        inside = (abs(x - cx) < rx) & (abs(y - cy) < ry)
        if random.integers(2):
            inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        picture[inside] = random.integers(0, 256, 3)
    return picture


def flat(random, width, height):
    return numpy.full((height, width, 3), random.integers(0, 256))


KINDS = [noise, coarse_noise, gradient, waves, shapes, flat]


def pictures(kind, per_size=int(os.environ.get("PORTCULLIS_PDQ_ROUNDS", 4))):
    random = numpy.random.default_rng(20261124)
    return [numpy.ascontiguousarray(kind(random, width, height).astype("uint8"))
            for width, height in SIZES for _ in range(per_size)]


def ours(tool, arrays):
    data = b"".join(struct.pack("<II", a.shape[1], a.shape[0]) + a.tobytes() for a in arrays)
    lines = subprocess.run([tool], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(lines) == len(arrays)
    return [(int(line.split()[0]), line.split()[1:]) for line in lines]


def theirs(array):
    vectors, quality = pdqhash.compute_dihedral(array)
    return quality, ["%064x" % int("".join(map(str, vector)), 2) for vector in vectors]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_same_pixels_give_the_same_eight_hashes(binaries, kind):
    arrays = pictures(kind)
    compared, wrong = 0, []
    for array, (quality, hashes) in zip(arrays, ours(binaries / "pdq_of", arrays)):
        their_quality, their_hashes = theirs(array)
        where = f"{array.shape[1]}x{array.shape[0]}, quality {their_quality}"
        if quality != their_quality:
            wrong.append(f"{where}: ours {quality}")
        if their_quality < 50:
            continue
        compared += 1
        for orientation, a, b in zip(ORIENTATIONS, hashes, their_hashes):
            if a != b:
                distance = bin(int(a, 16) ^ int(b, 16)).count("1")
                wrong.append(f"{where}: {orientation} is {distance} bits off")
    assert not wrong, f"{len(wrong)} differences: {wrong[:20]}"
    assert (compared > 0) == (kind is not flat), "the pictures do not test what they should"


# What the C++ reference gives for files of github.com/facebook/ThreatExchange, below pdq/data. Their own licence is not
# said, so they are not here: clone it and name the clone in PORTCULLIS_THREATEXCHANGE.
OF_FILES = {
    "bridge-mods/aaa-orig.jpg": "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "bridge-mods/shrink-a-lot.jpg": "d0f8f1ccc0f4a84d0a370a3a228f67f0b36e2ed5b6623e1d33e6339c4e9c9b22",
    "bridge-mods/square-128x128.jpg": "d8f8f1eec0f4a84f0e37022a078f63f0b36e2ed596621e1d33e6239c4e9c9b22",
    "bridge-mods/sharpen-a-lot.jpg": "d0f8f0cec0f4a84f0e370a22238f67f0b36a2ef596231e1d73e6a39c4e9c9b22",
    "reg-test-input/dih/bridge-2-rotate-90.jpg": "30a10efdf1c83f429013d48d0ffffc52e34e0e35ada952a9d29605215aa9e5af",
    "reg-test-input/exif-rotn/exif-rotn-1.jpg": "dc399924da5621d4c63973a56acfc926cf53db341b18367d318666cf9b142649",
    "reg-test-input/exif-rotn/exif-rotn-3.jpg": "38cfabcfab36b94e39cfa0023946790ef44171417d850401f7616005ffc1fff2",
    "reg-test-input/exif-rotn/exif-rotn-6.jpg": "e8783aad54ae0b63653192c279592d6ad4b5434a5fcd7071f7abcb594b481a94",
    "reg-test-input/exif-rotn/exif-rotn-8.jpg": "eb507c23b4ada17ec2fe2b0ca52038b15e0e970fcaf3f0c9058ac8687bf92d1e",
    "reg-test-input/pen-and-coaster.png": "1f811b9d267fbc6613c0c7f30e041f9df49b836303e10f067fcffc12c02d01f9",
}


def shrunk_as_the_reference_does(image):
    """Both sides to 512 by the nearest pixel, if either is longer."""
    array = numpy.asarray(image.convert("RGB"))
    height, width, _ = array.shape
    if max(height, width) > 512:
        array = array[numpy.arange(512) * height // 512][:, numpy.arange(512) * width // 512]
    return numpy.ascontiguousarray(array)


@pytest.mark.skipif("PORTCULLIS_THREATEXCHANGE" not in os.environ, reason="needs a clone of ThreatExchange")
def test_the_files_of_the_reference_give_its_hashes(binaries):
    folder = pathlib.Path(os.environ["PORTCULLIS_THREATEXCHANGE"]) / "pdq" / "data"
    arrays = [shrunk_as_the_reference_does(Image.open(folder / name)) for name in OF_FILES]
    got = {name: hashes[0] for name, (_, hashes) in zip(OF_FILES, ours(binaries / "pdq_of", arrays))}
    assert got == OF_FILES
