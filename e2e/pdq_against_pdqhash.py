"""Our PDQ against the package pdqhash, which wraps the C++ reference: the same pixels give the same
eight hashes and the same quality."""

import os
import struct
import subprocess

import numpy
import pdqhash
import pytest

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
