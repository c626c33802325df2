"""Generated pictures on which classifiers are compared, and our scores of them."""

import subprocess

import numpy
from PIL import Image, ImageDraw


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


def ours(binaries, model, kind, arrays):
    """A row of scores for each array, of a view or a tensor; fails with the reason if the model cannot be loaded."""
    run = subprocess.run([binaries / "scores_of", model, kind], input=b"".join(a.tobytes() for a in arrays),
                         capture_output=True)
    if run.returncode:
        raise RuntimeError(run.stderr.decode())
    return numpy.array([line.split() for line in run.stdout.decode().splitlines()], dtype=float)
