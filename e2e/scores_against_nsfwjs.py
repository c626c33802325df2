"""Our scores of the two models of npm nsfwjs against the package's own predictions, in Node.js on the same pictures.

MobileNetV2 is asked in every run. Inception v3 takes the package a minute in plain JavaScript and is asked only with
PORTCULLIS_SLOW_TESTS=1: model.toml pins the digest of the file that was compared, so what held once holds for every file
that is ever loaded. After a change to tools/models/convert it must be asked again.
"""

import os
import pathlib
import subprocess

import numpy
import pytest
from PIL import Image

import pictures_to_score
from pictures_to_score import ours

ROOT = pathlib.Path(__file__).parent.parent
TOLERANCE = 0.001
SLOW = pytest.mark.skipif(os.environ.get("PORTCULLIS_SLOW_TESTS") != "1", reason="PORTCULLIS_SLOW_TESTS=1 asks it too")
MODELS = [
    pytest.param("MobileNetV2", "mobilenet_v2", 224, 4, id="mobilenet_v2"),
    pytest.param("InceptionV3", "inception_v3", 299, 3, id="inception_v3", marks=SLOW),
]


def theirs(name, folder, side, pictures):
    run = subprocess.run(["node", pathlib.Path(__file__).parent / "nsfwjs.mjs", (ROOT / ".deps/nsfwjs").resolve(),
                          name, folder, str(side)], input=b"".join(p.convert("RGBA").tobytes() for p in pictures),
                         stdout=subprocess.PIPE, check=True)
    return numpy.array([line.split() for line in run.stdout.decode().splitlines()], dtype=float)


@pytest.mark.parametrize("name,folder,side,count", MODELS)
def test_the_package_says_the_same(binaries, name, folder, side, count):
    made = pictures_to_score.pictures()
    chosen = [picture.resize((side, side), Image.Resampling.BILINEAR) for picture in made[4::len(made) // count][:count]]
    want = theirs(name, folder, side, chosen)
    got = ours(binaries, ROOT / "models" / f"nsfwjs_{folder}", "view", map(numpy.asarray, chosen))
    assert numpy.ptp(want, axis=0).max() > 0.1, "the pictures tell right from wrong"
    assert got == pytest.approx(want, abs=TOLERANCE)
