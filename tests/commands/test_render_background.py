"""`sonic render --background`: the file that comes out, with transparency and without, and what is refused."""

import av
import numpy as np
import pytest

from sonic_nodes.commands import cli
from sonic_nodes.media.provenance import read_back


def render(sample_dir, output, background, *more):
    files = str(sample_dir / "portrait.jpg"), str(sample_dir / "speech.wav")
    options = ["--duration", "0.4", "--min-resolution", "128", "--background", background, *more]
    return cli.main(["render", *files, "-o", str(output), *options])


def alpha_planes(path):
    """[n, H, W] of a file with transparency, 0..1; WebM's VP9 needs the decoder that knows its second stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if path.suffix == ".webm":
            decoder = av.codec.CodecContext.create("libvpx-vp9", "r")
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
    return np.stack([frame.to_ndarray(format="rgba")[..., 3] for frame in frames]) / 255


@pytest.mark.parametrize("suffix", [".webm", ".mov"])
def test_transparency_is_kept_with_sound_and_label(sample_dir, tmp_path, suffix):
    path = tmp_path / f"clip{suffix}"
    assert render(sample_dir, path, "transparent") == 0
    found = alpha_planes(path)
    assert len(found) == 10 and 0.2 < found.mean() < 0.95 and (found < 0.05).any() and (found > 0.95).any()
    with av.open(str(path)) as container:
        assert abs(sum(f.samples / f.sample_rate for f in container.decode(audio=0)) - 0.4) < 0.06
    assert read_back(path)["engine"] == "draft"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_green_is_behind_the_person(sample_dir, tmp_path):
    path = tmp_path / "clip.mp4"
    assert render(sample_dir, path, "green") == 0
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    green = np.abs(frames[0].astype(int) - (0, 177, 64)).max(2) < 24
    assert len(frames) == 10 and 0.05 < green.mean() < 0.8


@pytest.mark.parametrize(
    ("name", "background", "more", "words"),
    [
        ("a.mp4", "transparent", (), "Name the output with .webm or .mov"),
        ("a.webm", "green", (), "Name the output with .mp4"),
        ("a.mov", "transparent", ("--lossless",), "Leave out --lossless"),
        ("a.mp4", "#12", (), "Write the colour of --background"),
        ("a.mp4", "no such picture.png", (), "Write green, #rrggbb, blur, transparent"),
    ],
)
def test_what_is_refused_says_what_to_write(sample_dir, tmp_path, capsys, name, background, more, words):
    assert render(sample_dir, tmp_path / name, background, *more) in (2, 3)
    assert words in capsys.readouterr().err and not list(tmp_path.iterdir())
