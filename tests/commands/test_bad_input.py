"""Bad input: each ends with one sentence that starts with the remedy, or works; no output file is left behind."""

import os
import random
import shutil
import subprocess
import sys
import wave

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands.cli import main
from tests.oracles.system import file_names

FAST = ["--min-resolution", "128"]


@pytest.fixture(scope="module")
def portrait(sample_dir):
    return sample_dir / "portrait.jpg"


@pytest.fixture
def picture(portrait):
    return Image.open(portrait).convert("RGB")


@pytest.fixture
def speech(tmp_path, sample_dir):
    """Half a second of the sample's speech."""
    with wave.open(str(sample_dir / "speech.wav")) as source:
        source.setpos(8000)
        samples = source.readframes(8000)
    return write_wav(tmp_path / "speech.wav", np.frombuffer(samples, np.int16))


def write_wav(path, samples, rate=16000, channels=1):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(samples.dtype.itemsize)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return path


def render(capsys, folder, portrait, speech, *options):
    """(exit code, standard error, files in the output folder)"""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    code = main(["render", str(portrait), str(speech), "-o", str(out / "clip.mp4"), *FAST, *options])
    return code, capsys.readouterr().err, sorted(os.listdir(out))


def expect_works(capsys, tmp_path, portrait, speech, *options):
    code, messages, left = render(capsys, tmp_path, portrait, speech, *options)
    assert code == 0, messages
    assert left == ["clip.mp4"]
    return messages


def expect_refusal(capsys, tmp_path, portrait, speech, code, remedy, *options):
    """The text after "sonic: " starts with the remedy; no traceback; no output file."""
    got, messages, left = render(capsys, tmp_path, portrait, speech, *options)
    assert (got, left) == (code, []), messages
    assert "Traceback" not in messages
    last = [line for line in messages.splitlines() if line.startswith("sonic: ")][-1]
    assert last.removeprefix("sonic: ").startswith(remedy), messages


def test_no_face(capsys, tmp_path, speech):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (320, 320, 3), np.uint8)).save(tmp_path / "p.png")
    expect_refusal(capsys, tmp_path, tmp_path / "p.png", speech, 4, "Choose a picture that shows a face")


def test_a_mask_replaces_a_face_that_is_not_found(capsys, tmp_path, speech):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (320, 320, 3), np.uint8)).save(tmp_path / "p.png")
    mask = np.zeros((320, 320), np.uint8)
    mask[60:260, 80:240] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    messages = expect_works(capsys, tmp_path, tmp_path / "p.png", speech, "--face-mask", str(tmp_path / "m.png"))
    assert "No face was recognised inside face_mask" in messages


def test_a_mask_of_another_size_is_refused(capsys, tmp_path, portrait, speech):
    Image.new("L", (10, 10), 255).save(tmp_path / "m.png")
    expect_refusal(
        capsys,
        tmp_path,
        portrait,
        speech,
        3,
        "Give a face_mask of the picture's size",
        "--face-mask",
        str(tmp_path / "m.png"),
    )


def test_several_faces_takes_the_largest_and_says_so(capsys, tmp_path, picture, speech):
    both = Image.new("RGB", (picture.width * 2, picture.height))
    both.paste(picture, (0, 0))
    both.paste(picture.resize((picture.width * 3 // 4, picture.height * 3 // 4)), (picture.width, 0))
    both.save(tmp_path / "p.png")
    assert "shows 2 faces: the largest was chosen" in expect_works(capsys, tmp_path, tmp_path / "p.png", speech)


def test_face_at_the_border(capsys, tmp_path, picture, speech):
    picture.crop((170, 125, picture.width, 420)).save(tmp_path / "p.png")
    expect_works(capsys, tmp_path, tmp_path / "p.png", speech)


def save_cmyk(picture, path):
    picture.convert("CMYK").save(path)


def save_16_bit(picture, path):
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(path)


def save_with_alpha(picture, path):
    picture.putalpha(255)
    picture.save(path)


def save_rotated(picture, path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees clockwise to view
    picture.rotate(90, expand=True).save(path, exif=exif)


UNUSUAL_PICTURES = {
    "CMYK.jpg": save_cmyk,
    "16-bit.png": save_16_bit,
    "palette.png": lambda picture, path: picture.quantize(256).save(path),
    "alpha.png": save_with_alpha,
    "grey.png": lambda picture, path: picture.convert("L").save(path),
    "grey and alpha.png": lambda picture, path: picture.convert("L").convert("LA").save(path),
    "float.tiff": lambda picture, path: picture.convert("F").save(path),
    "rotated by EXIF.jpg": save_rotated,
}


@pytest.mark.parametrize("name", UNUSUAL_PICTURES)
def test_unusual_pictures_work(capsys, tmp_path, picture, speech, name):
    UNUSUAL_PICTURES[name](picture, tmp_path / name)
    expect_works(capsys, tmp_path, tmp_path / name, speech)


def test_corrupt_picture(capsys, tmp_path, speech):
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8\xff\xe0" + random.Random(0).randbytes(2000))
    expect_refusal(capsys, tmp_path, tmp_path / "p.jpg", speech, 3, "Save the picture again")


def test_truncated_picture(capsys, tmp_path, portrait, speech):
    data = portrait.read_bytes()
    (tmp_path / "p.jpg").write_bytes(data[: len(data) // 3])
    expect_refusal(capsys, tmp_path, tmp_path / "p.jpg", speech, 3, "Save the picture again")


def test_one_pixel(capsys, tmp_path, speech):
    Image.new("RGB", (1, 1)).save(tmp_path / "p.png")
    expect_refusal(capsys, tmp_path, tmp_path / "p.png", speech, 4, "Choose a picture that shows a face")


def test_thirty_thousand_pixels_square_is_refused_before_it_is_decoded(tmp_path, speech):
    """In a process of its own, whose memory is measured: decoding would take 2.7 GB."""
    Image.new("1", (30000, 30000)).save(tmp_path / "p.png")
    script = (
        "import sys, sonic_nodes.commands.cli as cli, sonic_nodes.commands.render\n"
        "from tests.oracles.system import peak_memory\n"
        "before = peak_memory()\n"
        f"inputs = [{str(tmp_path / 'p.png')!r}, {str(speech)!r}]\n"
        f"code = cli.main(['render', *inputs, '-o', {str(tmp_path / 'o.mp4')!r}])\n"
        "assert code == 3, code\n"
        "grown = peak_memory() - before\n"
        "assert grown < 100 << 20, grown\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "900 million pixels" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "o.mp4").exists()


def test_recordings_without_samples(capsys, tmp_path, portrait):
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16))
    (tmp_path / "zero.wav").write_bytes(b"")
    for name in ("empty.wav", "zero.wav"):
        expect_refusal(capsys, tmp_path, portrait, tmp_path / name, 3, "Choose a recording")


def test_silence_works(capsys, tmp_path, portrait):
    expect_works(capsys, tmp_path, portrait, write_wav(tmp_path / "a.wav", np.zeros(8000, np.int16)))


TONE = (np.sin(np.arange(16000) * 0.05) * 8000).astype(np.int16)
UNUSUAL_RECORDINGS = {
    "8 bit": lambda path: write_wav(path, (TONE // 256 + 128).astype(np.uint8)),
    "6 channels": lambda path: write_wav(path, np.repeat(TONE[:8000], 6), channels=6),
    "8 kHz": lambda path: write_wav(path, TONE[:4000], rate=8000),
    "96 kHz": lambda path: write_wav(path, np.tile(TONE, 3), rate=96000),
}


@pytest.mark.parametrize("kind", UNUSUAL_RECORDINGS)
def test_unusual_recordings_work(capsys, tmp_path, portrait, kind):
    expect_works(capsys, tmp_path, portrait, UNUSUAL_RECORDINGS[kind](tmp_path / "a.wav"))


def test_not_a_number_in_the_recording(capsys, tmp_path, portrait):
    samples = np.zeros((1, 16000), np.float32)
    samples[0, 8000] = np.nan
    path = tmp_path / "nan.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    expect_refusal(capsys, tmp_path, portrait, path, 3, "Export the recording again")


def test_a_video_serves_as_recording(capsys, tmp_path, portrait, speech):
    talk = tmp_path / "talk.mp4"
    assert main(["render", str(portrait), str(speech), "-o", str(talk), *FAST]) == 0
    expect_works(capsys, tmp_path, portrait, talk)


def test_a_video_without_sound_does_not(capsys, tmp_path, portrait):
    silent = tmp_path / "silent.mp4"
    with av.open(str(silent), "w") as made:
        stream = made.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        made.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        made.mux(stream.encode(None))
    expect_refusal(capsys, tmp_path, portrait, silent, 3, "Choose a recording")


def test_swapped_and_missing_inputs(capsys, tmp_path, portrait, speech):
    expect_refusal(capsys, tmp_path, speech, speech, 3, "Choose a picture")
    expect_refusal(capsys, tmp_path, portrait, portrait, 3, "Choose a")
    expect_refusal(capsys, tmp_path, tmp_path / "none.png", speech, 3, "Check the file's name")
    expect_refusal(capsys, tmp_path, portrait, tmp_path / "none.wav", 3, "Check the file's name")
    expect_refusal(capsys, tmp_path, tmp_path, speech, 3, "Choose a file")
    expect_refusal(capsys, tmp_path, portrait, tmp_path, 3, "Choose a file")


@pytest.mark.parametrize(
    "name", file_names("with spaces.png", 'it\'s "quoted".png', "人像 照片.png", "-dash.png", "percent%20d.png")
)
def test_names_with_spaces_quotes_and_chinese(capsys, tmp_path, picture, speech, name):
    folder = tmp_path / "文件夹 'a' b"
    folder.mkdir()
    picture.save(folder / name)
    voice = shutil.copy(speech, folder / "voice 'ü' 声音.wav")
    out = folder / ("out " + name.replace(".png", ".mp4"))
    assert main(["render", str(folder / name), str(voice), "-o", str(out), *FAST]) == 0, capsys.readouterr().err
    with av.open("file:" + str(out)) as made:
        assert made.streams.video[0].frames == 12  # half a second: 12.5, rounded half to even


def test_outputs_that_cannot_be(capsys, tmp_path, portrait, speech):
    def attempt(output, *options):
        return main(["render", str(portrait), str(speech), "-o", str(output), *FAST, *options]), capsys.readouterr().err

    (tmp_path / "file").write_text("")
    code, messages = attempt(tmp_path / "absent" / "o.mp4")
    assert code == 6 and messages.startswith("sonic: Create the folder first")
    assert attempt(tmp_path / "file" / "o.mp4")[0] == 6
    code, messages = attempt(tmp_path / "o.avi")
    assert code == 2 and messages.startswith("sonic: Name the output with .mp4")
    code, messages = attempt(tmp_path / "o.mp4", "--frames", str(tmp_path / "file" / "f"))
    assert code == 6 and messages.startswith("sonic: Choose another folder for --frames")
    assert sorted(os.listdir(tmp_path)) == ["file", "speech.wav"]


def test_input_is_never_overwritten(capsys, tmp_path, portrait, speech):
    talk = tmp_path / "talk.mp4"
    assert main(["render", str(portrait), str(speech), "-o", str(talk), *FAST]) == 0
    before = talk.read_bytes()
    assert main(["render", str(portrait), str(talk), "-o", str(talk), *FAST]) == 2
    assert talk.read_bytes() == before
    assert "Choose another output" in capsys.readouterr().err


OUT_OF_RANGE = [
    ["--min-resolution", "64"],
    ["--min-resolution", "4000"],
    ["--face", "3"],
    ["--seed", "-1"],
    ["--seed", str(2**64)],
]


@pytest.mark.parametrize("options", OUT_OF_RANGE)
def test_values_out_of_range(capsys, tmp_path, portrait, speech, options):
    code, messages, left = render(capsys, tmp_path, portrait, speech, *options)
    assert code in (2, 3) and left == [] and messages.startswith("sonic: Choose"), messages


@pytest.mark.posix("RLIMIT_FSIZE stands for the full disk")
def test_full_disk_leaves_nothing(tmp_path, portrait, speech):
    """A limit on file sizes simulates the full disk."""
    script = (
        "import resource, signal, sys, sonic_nodes.commands.cli as cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"arguments = ['render', {str(portrait)!r}, {str(speech)!r}, '-o', {str(tmp_path / 'o.mp4')!r}]\n"
        "sys.exit(cli.main(arguments + ['--min-resolution', '128']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr
    assert "Free disk space" in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["speech.wav"]


def test_frames_are_removed_when_the_job_is_stopped(capsys, tmp_path, portrait, speech, monkeypatch):
    from sonic_nodes.commands import render as module

    def stopped(self, frames):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.VideoWriter, "write", stopped)
    code, messages, left = render(capsys, tmp_path, portrait, speech, "--frames", str(tmp_path / "frames"))
    assert (code, left) == (130, []) and not (tmp_path / "frames").exists(), messages
