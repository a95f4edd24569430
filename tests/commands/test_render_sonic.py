"""`sonic render --engine sonic` from the outside, with small random networks."""

import contextlib
import io
import json
import os
import shutil
import wave

import av
import numpy as np
import pytest

from sonic_nodes.commands.cli import main
from sonic_nodes.media.provenance import read_back
from sonic_nodes.memory import plan

SIZE = ["--min-resolution", "128"]


@pytest.fixture
def speech(tmp_path, sample_dir):
    """A function that writes the first `seconds` of the sample's speech, at 16 kHz, again and again where it is
    longer."""
    with wave.open(str(sample_dir / "speech.wav")) as source:
        rate, samples = source.getframerate(), np.frombuffer(source.readframes(source.getnframes()), np.int16)

    def cut(seconds):
        path = tmp_path / f"{seconds}.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(np.resize(samples, round(seconds * rate)).tobytes())
        return str(path)

    return cut


@pytest.fixture
def command(sample_dir, small_models, tmp_path):
    """A function that runs the command: (exit code, standard output, standard error, what the output's folder
    holds)."""
    out = tmp_path / "out"
    out.mkdir()

    def render(speech, *options, models=small_models, output="clip.mp4"):
        printed, messages = io.StringIO(), io.StringIO()
        to = ["-o", str(out / output)] if output else []
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(messages):
            portrait = str(sample_dir / "portrait.jpg")
            code = main(
                ["render", portrait, speech, *to, "--engine", "sonic", "--models", str(models), *SIZE, *options]
            )
        return code, printed.getvalue(), messages.getvalue(), sorted(os.listdir(out))

    render.folder = out
    return render


def frames_of(path):
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        return rate, [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("seconds", [0.2, 2.04])
def test_a_video_of_exactly_the_frames_asked_for(command, speech, seconds):
    code, printed, messages, left = command(speech(seconds), "--steps", "1", "--json")
    assert code == 0, messages
    assert left == ["clip.mp4"] and "fits" in messages
    report = json.loads(printed)
    rate, frames = frames_of(command.folder / "clip.mp4")
    assert rate == 25 and len(frames) == report["frames"] == round(25 * seconds) and frames[0].shape == (128, 128, 3)
    assert report["settings"]["steps"] == 1 and report["precision"] == "fp32" and "commanded" not in report


def test_the_file_says_how_it_was_made(command, speech):
    code, *_ = command(speech(0.2), "--steps", "1", "--seed", "5", "--dynamic-scale", "1.3")
    assert code == 0
    record = read_back(command.folder / "clip.mp4")
    assert record["ai_generated"] is True and record["engine"] == "sonic" and record["seed"] == 5
    assert record["digital_source_type"].endswith("trainedAlgorithmicMedia")
    assert record["settings"]["dynamic_scale"] == 1.3 and record["model"] == {
        "unet": "unet.pth",
        "vae": "svd_xt.safetensors",
    }
    assert "non-commercial" in record["terms"]


def test_same_seed_same_bytes(command, speech):
    sound = speech(0.4)
    for name, seed in (("a.mp4", "1"), ("b.mp4", "1"), ("c.mp4", "2")):
        assert command(sound, "--steps", "1", "--seed", seed, "--lossless", output=name)[0] == 0
    a, b, c = ((command.folder / name).read_bytes() for name in ("a.mp4", "b.mp4", "c.mp4"))
    assert a == b and a != c


def test_half_the_frames_and_the_whole_picture(command, speech):
    stills = command.folder / "stills"
    code, printed, *_ = command(
        speech(0.6), "--steps", "1", "--no-interpolate", "--paste-back", "--json", "--frames", str(stills)
    )
    assert code == 0
    rate, frames = frames_of(command.folder / "clip.mp4")
    assert rate == 12.5 and len(frames) == 8 == json.loads(printed)["frames"] == len(os.listdir(stills))
    assert frames[0].shape[0] > 128


def test_the_plan_alone(command, speech, tmp_path):
    code, printed, messages, left = command(speech(2.04), "--plan-only", "--json", output=None)
    assert code == 0 and left == []
    estimated = json.loads(printed)["plan"]
    assert estimated["latent_frames"] == 26 and estimated["steps"] == 25 and estimated["fits"] and estimated["peak"] > 0
    assert "sampling" in messages and "decoding" in messages
    code, printed, messages, _ = command(speech(600), "--plan-only", "--plan", "sequential", "--json", output=None)
    estimated = json.loads(printed)["plan"]
    assert code == 0 and estimated["latent_frames"] == 7501 and estimated["branches_at_once"] == 1
    assert estimated["seconds"] > 60 and "about" in messages


def test_the_plan_alone_also_with_an_output(command, speech):
    code, printed, messages, left = command(speech(0.2), "--plan-only", "--steps", "3", "--json")
    assert code == 0 and left == [] and "sampling" in messages
    assert json.loads(printed).keys() == {"plan"} and json.loads(printed)["plan"]["steps"] == 3


def test_options_of_the_other_engine_are_refused(command, speech, sample_dir):
    code, _, messages, left = command(speech(0.2), "--opening", "0.5", "--blink", "0")
    assert (code, left) == (2, [])
    assert messages.startswith("sonic: Leave out --opening, --blink, or choose --engine draft")
    draft = ["render", str(sample_dir / "portrait.jpg"), speech(0.2), "-o", str(command.folder / "d.mp4")]
    for wrong in (["--steps", "3"], ["--plan-only"], ["--models", "x"]):
        printed = io.StringIO()
        with contextlib.redirect_stderr(printed):
            assert main([*draft, *wrong]) == 2
        assert printed.getvalue().startswith(f"sonic: Leave out {wrong[0]}, or choose --engine sonic")


@pytest.mark.parametrize(
    "wrong, remedy",
    [
        (["--steps", "0"], "Choose --steps between 1 and 1024: it is 0."),
        (["--dynamic-scale", "9"], "Choose --dynamic-scale between 0.5 and 2: it is 9.0."),
        (["--audio-strength", "9"], "Choose --audio-strength between 0 and 2: it is 9.0."),
        (["--device", "toaster"], "Choose the device cpu"),
        (["--seed", "-1"], "Choose --seed between 0 and"),
    ],
)
def test_values_out_of_range(command, speech, wrong, remedy):
    code, _, messages, left = command(speech(0.2), *wrong)
    assert (code, left) == (2, [])
    assert messages.splitlines()[-1].startswith(f"sonic: {remedy}")


def test_missing_files_are_all_named(command, speech, tmp_path, small_models):
    code, _, messages, left = command(speech(0.2), models=tmp_path / "nothing")
    assert (code, left) == (2, []) and messages.startswith("sonic: Name ComfyUI's models folder with --models")
    some = tmp_path / "some"
    shutil.copytree(small_models, some)
    (some / "sonic/audio2token.pth").unlink()
    (some / "checkpoints/svd_xt.safetensors").unlink()
    code, _, messages, left = command(speech(0.2), models=some)
    assert (code, left) == (3, [])
    for part in (
        "audio2token.pth",
        "models/sonic/audio2token.pth",
        "217.2 MB",
        "svd_xt.safetensors",
        "huggingface.co/stabilityai",
    ):
        assert part in messages
    assert "unet.pth" not in messages


def test_files_of_the_users_choice(command, speech, tmp_path, small_models):
    moved = tmp_path / "elsewhere"
    shutil.copytree(small_models, moved)
    (moved / "sonic/unet.pth").rename(tmp_path / "other_unet.pth")
    (moved / "checkpoints/svd_xt.safetensors").rename(tmp_path / "svd.safetensors")
    own = [
        "--unet",
        str(tmp_path / "other_unet.pth"),
        "--checkpoint",
        str(tmp_path / "svd.safetensors"),
        "--steps",
        "1",
    ]
    code, _, messages, _ = command(speech(0.2), *own, models=moved)
    assert code == 0, messages
    assert read_back(command.folder / "clip.mp4")["model"]["unet"] == "other_unet.pth"


def test_the_folder_that_convert_writes(command, speech, tmp_path, small_models):
    """`sonic models convert` checks for the published sizes; what it writes for small networks is written here by the
    same function."""
    from sonic_nodes.commands.models import convert
    from tests.tools.make_models import SMALL

    folder = convert(small_models, tmp_path / "converted", **SMALL)
    code, _, messages, _ = command(speech(0.2), "--steps", "1", models=folder)
    assert code == 0, messages


def test_stopped_with_ctrl_c(command, speech, monkeypatch):
    from sonic_nodes.engines.sonic import SonicEngine

    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(SonicEngine, "infer", pressed)
    code, _, messages, left = command(speech(0.2), "--steps", "1")
    assert (code, left) == (130, []) and "Stopped" in messages


def test_memory_that_runs_out(command, speech, monkeypatch):
    monkeypatch.setattr(plan, "free_host_bytes", lambda: 1 << 20)
    code, _, messages, left = command(speech(0.2))
    assert (code, left) == (5, [])


def test_help_names_the_terms(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["render", "--help"])
    assert stop.value.code == 0 and "non-commercial" in capsys.readouterr().out
