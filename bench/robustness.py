"""Which changes of a picture PDQ survives at radius 31: the whole picture as it is, and with every view that we ask for.

usage: robustness.py BUILD    (bench/robustness builds what it needs and calls this)

Pictures are our own, made from numbers, and encoded, decoded and hashed as an upload is. Writes a table in Markdown.
"""
import io
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import numpy  # noqa: E402
import pictures  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

COUNT, RADIUS, LEAST_QUALITY = 30, 31, 50
SIZES = [(640, 480), (480, 640), (800, 600), (600, 800), (720, 405), (500, 500)]


def photograph(seed):
    """Soft forms and shapes with a slope of light, a texture and grain over them."""
    width, height = SIZES[seed % len(SIZES)]
    random = numpy.random.default_rng(seed)
    image = numpy.asarray(pictures.photo(seed, width, height), dtype=float)
    y, x = numpy.mgrid[0:height, 0:width]
    light = random.uniform(-60, 60) * (x / width - 0.5) + random.uniform(-60, 60) * (y / height - 0.5)
    wave = numpy.sin(2 * numpy.pi * (random.uniform(2, 30) * x / width + random.uniform(2, 30) * y / height))
    image += light[..., None] + wave[..., None] * random.uniform(0, 12)
    image += random.normal(0, random.uniform(1, 6), (height, width, 1))
    return Image.fromarray(numpy.clip(image, 0, 255).astype("uint8"))


def crop(image, percent):
    x, y = image.width * percent / 100, image.height * percent / 100
    return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))


def border(image, percent, colour):
    x, y = round(image.width * percent / 100), round(image.height * percent / 100)
    return padded(image, x, y, x, y, colour)


def striped(image, percent):
    """A border that is not of one colour."""
    y, x = numpy.mgrid[0:image.height * (100 + 2 * percent) // 100, 0:image.width * (100 + 2 * percent) // 100]
    canvas = Image.fromarray(numpy.repeat(((x + y) // 6 % 2 * 200).astype("uint8")[..., None], 3, axis=2))
    canvas.paste(image, (image.width * percent // 100, image.height * percent // 100))
    return canvas


def padded(image, left, top, right, bottom, colour):
    canvas = Image.new("RGB", (image.width + left + right, image.height + top + bottom), colour)
    canvas.paste(image, (left, top))
    return canvas


def letterboxed(image):
    """Between black bars above and below or on both sides, as players do."""
    width, height = (image.width, image.width * 5 // 4) if image.width >= image.height else (image.height * 5 // 4, image.height)
    x, y = width - image.width, height - image.height
    return padded(image, x // 2, y // 2, x - x // 2, y - y // 2, "black")


def captioned(image):
    """Words in a white band above, as in memes."""
    band = image.height // 6
    canvas = padded(image, 0, band, 0, 0, "white")
    draw = ImageDraw.Draw(canvas)
    for word in range(6):  # as letters are to a hash: dark strokes with light between them
        left = image.width * (1 + word * 2) // 14
        for stroke in range(4):
            at = left + stroke * image.width // 60
            draw.rectangle((at, band // 3, at + image.width // 150, band * 2 // 3), fill="black")
    return canvas


def watermarked(image):
    """A dark band below with a small light mark at its right, as sites that share pictures add."""
    band = max(20, image.height // 25)
    canvas = padded(image, 0, 0, 0, band, (23, 23, 23))
    ImageDraw.Draw(canvas).rectangle((image.width * 8 // 10, image.height + band // 4, image.width * 95 // 100,
                                      image.height + band * 3 // 4), fill=(250, 200, 40))
    return canvas


def in_screenshot(image):
    """A telephone's screenshot: the picture in the middle of a black screen."""
    screen = Image.new("RGB", (1080, 2340), "black")
    small = image.resize((1080, round(1080 * image.height / image.width)), Image.Resampling.BICUBIC)
    screen.paste(small, (0, (2340 - small.height) // 2))
    return screen


def rescaled(image, width, height=None):
    return image.resize((width, height or max(1, round(image.height * width / image.width))), Image.Resampling.BICUBIC)


def lit(image, change):
    return Image.fromarray(numpy.clip(change(numpy.asarray(image, dtype=float)), 0, 255).astype("uint8"))


def gamma(image, power):
    return lit(image, lambda values: 255 * (values / 255) ** power)


def changes():
    """(name, picture -> picture, how it is saved)"""
    high = ("JPEG", {"quality": 90})
    for quality in (75, 30, 10):
        yield f"JPEG, quality {quality}", lambda i: i, ("JPEG", {"quality": quality})
    for quality in (75, 30):
        yield f"WebP, quality {quality}", lambda i: i, ("WEBP", {"quality": quality})
    yield "half the size", lambda i: rescaled(i, i.width // 2), high
    yield "128 pixels wide", lambda i: rescaled(i, 128), high
    yield "64 pixels wide", lambda i: rescaled(i, 64), high
    yield "stretched to 2:1", lambda i: rescaled(i, i.height * 2, i.height), high
    yield "brightness × 0.7", lambda i: lit(i, lambda v: v * 0.7), high
    yield "brightness × 1.3", lambda i: lit(i, lambda v: v * 1.3), high
    yield "gamma 0.7", lambda i: gamma(i, 0.7), high
    yield "gamma 1.5", lambda i: gamma(i, 1.5), high
    yield "grey", lambda i: i.convert("L").convert("RGB"), high
    yield "mirrored", lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT), high
    yield "upside down (mirrored)", lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM), high
    yield "turned by 90°", lambda i: i.transpose(Image.Transpose.ROTATE_90), high
    yield "turned by 180°", lambda i: i.transpose(Image.Transpose.ROTATE_180), high
    for percent in (1, 2, 5, 10, 20):
        for colour in ("black", "white"):
            yield f"{colour} border of {percent} %", lambda i, p=percent, c=colour: border(i, p, c), high
    yield "black border of 5 %, JPEG, quality 30", lambda i: border(i, 5, "black"), ("JPEG", {"quality": 30})
    yield "black border of 5 %, half the size", lambda i: rescaled(border(i, 5, "black"), i.width // 2), high
    yield "black border of 5 %, mirrored", lambda i: border(i, 5, "black").transpose(Image.Transpose.FLIP_LEFT_RIGHT), high
    yield "striped border of 5 %", lambda i: striped(i, 5), high
    for percent in (5, 10, 20):
        yield f"white band of {percent} % below", lambda i, p=percent: padded(i, 0, 0, 0, i.height * p // 100, "white"), high
    yield "between black bars", letterboxed, high
    yield "in a telephone's screenshot", in_screenshot, high
    yield "caption in a white band", captioned, high
    yield "mark in a dark band below", watermarked, high
    for degrees in (1, 2, 5):
        yield f"rotated by {degrees}°", lambda i, d=degrees: i.rotate(d, Image.Resampling.BICUBIC), high
    for percent in (0.5, 1, 2, 3, 5, 10):
        yield f"cropped by {percent} % a side", lambda i, p=percent: crop(i, p), high


class Asked:
    """Pictures as files, and what the decoder makes of them."""

    def __init__(self, build, folder):
        self.program, self.folder = build / "fingerprints_of", folder

    def __call__(self, images, kind, options):
        names = []
        for index, image in enumerate(images):
            names.append(self.folder / f"{index}.picture")
            data = io.BytesIO()
            image.save(data, kind, **options)
            names[-1].write_bytes(data.getvalue())
        said = subprocess.run([self.program], input="\n".join(map(str, names)) + "\n", stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()
        assert len(said) == len(images)
        return [prints_of(line.split()) for line in said]


def prints_of(words):
    """[(quality, [eight numbers])], the whole picture's first."""
    return [(int(words[at]), [int(word, 16) for word in words[at + 1:at + 9]]) for at in range(0, len(words), 9)]


def nearest(prints, wanted, orientations=8):
    """256 when no fingerprint says anything."""
    return min(((pdq ^ wanted).bit_count() for quality, hashes in prints if quality >= LEAST_QUALITY
                for pdq in hashes[:orientations]), default=256)


def shown(distances):
    found = sum(distance <= RADIUS for distance in distances)
    return f"{100 * found / len(distances):.0f} % | {statistics.median(distances):.0f}"


def main(build):
    build = pathlib.Path(build).resolve()
    with tempfile.TemporaryDirectory() as folder:
        ask = Asked(build, pathlib.Path(folder))
        images = [photograph(seed) for seed in range(COUNT)]
        listed = ask(images, "JPEG", {"quality": 95})
        for prints in listed:
            assert prints[0][0] >= LEAST_QUALITY, "a picture that no list would take"
        wanted = [prints[0][1][0] for prints in listed]
        print(f"{COUNT} pictures; in each pair of columns the share within {RADIUS} and the median distance.\n")
        print("| change | one hash | | 8 orientations | | with trimmed views | | fingerprints |")
        print("|---|---|---|---|---|---|---|---|")
        for name, change, (kind, options) in changes():
            asked = ask([change(image) for image in images], kind, options)
            pairs = list(zip(asked, wanted))
            print("|", name, "|", shown([nearest(prints[:1], one, 1) for prints, one in pairs]), "|",
                  shown([nearest(prints[:1], one) for prints, one in pairs]), "|",
                  shown([nearest(prints, one) for prints, one in pairs]), "|",
                  f"{statistics.mean(len(prints) for prints in asked):.1f} |", flush=True)
        framed = ask([border(image, 5, "black") for image in images], "JPEG", {"quality": 90})
        others = [nearest(prints, one) for i, prints in enumerate(framed) for j, one in enumerate(wanted) if i != j]
        print(f"\nOther pictures, bordered ({len(others)} pairs, every view): nearest {min(others)}, median "
              f"{statistics.median(others):.0f}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
