"""What `make bench-peers` says when pict-rs or the tools it starts are missing. pict-rs itself is not run here."""
import pytest
from pict_rs import Missing, find

PICT_RS = "#!/bin/sh\necho pict-rs 0.5.19\n"
TOOL = "#!/bin/sh\necho Version: ImageMagick 6.9.11\n"
ALL = ("ffmpeg", "ffprobe", "exiftool", "convert", "identify")


def programs(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """The only folder of programs, beside the shell."""
    monkeypatch.setenv("PATH", str(tmp_path))
    programs(tmp_path, **{"pict-rs": PICT_RS}, **dict.fromkeys(ALL, TOOL))
    return tmp_path


def test_it_is_found_with_imagemagick_6_and_with_7(tools):
    assert find(str(tools / "pict-rs")) == (tools / "pict-rs", "0.5.19")
    for name in ("convert", "identify"):
        (tools / name).unlink()
    programs(tools, magick=TOOL)
    assert find(str(tools / "pict-rs"))[1] == "0.5.19"


@pytest.mark.parametrize("program, says", [
    ("", "PICTRS is not set"),
    ("/nowhere/pict-rs", "is not a program"),
    ("/etc/passwd", "is not a program"),
    ("silent", "does not say its version"),
])
def test_without_pict_rs_it_says_how_to_get_it(tools, program, says):
    programs(tools, silent="#!/bin/sh\n")
    with pytest.raises(Missing, match=says) as caught:
        find(str(tools / program) if program == "silent" else program)
    assert "cargo install pict-rs --version 0.5.19" in str(caught.value)


@pytest.mark.parametrize("gone, package", [
    ("ffmpeg", "ffmpeg"), ("ffprobe", "ffmpeg"), ("exiftool", "libimage-exiftool-perl"),
    ("convert", "imagemagick"), ("identify", "imagemagick"),
])
def test_without_a_tool_it_says_which_package_to_install(tools, gone, package):
    (tools / gone).unlink()
    with pytest.raises(Missing) as caught:
        find(str(tools / "pict-rs"))
    assert str(caught.value).endswith(f"apt-get install --no-install-recommends {package}")


def test_another_program_called_convert_does_not_count(tools):
    programs(tools, convert="#!/bin/sh\necho GraphicsMagick\n")
    with pytest.raises(Missing, match="imagemagick"):
        find(str(tools / "pict-rs"))
