"""Sonic Batch: one recording of a folder for each run, from ComfyUI's input folder alone."""

import os
import wave

import numpy as np
import pytest

from tests.oracles.system import make_link

RATE = 16000


def write(path, seconds=0.5, level=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.full(round(seconds * RATE), level, "<i2").tobytes())


@pytest.fixture
def folder(comfy):
    """voices: two recordings, and what is none."""
    made = comfy.input_folder / "voices"
    write(made / "B eins.wav", 0.5, 1000)
    write(made / "a 二.wav", 0.25, 2000)
    write(made / ".hidden.wav")
    (made / "note.txt").write_text("no sound", "utf-8")
    (made / "folder.wav").mkdir()
    return made


@pytest.fixture
def node(nodes):
    return nodes["SonicBatch"]


def test_each_index_is_a_recording_with_its_name(node, folder):
    made = [node.execute("voices", index) for index in range(3)]
    assert [output.args[1:] for output in made] == [
        ("video/voices/a 二", 2),
        ("video/voices/B eins", 2),
        ("video/voices/a 二", 2),
    ]
    audio = made[1].args[0]
    assert audio["sample_rate"] == RATE and audio["waveform"].shape == (1, 1, RATE // 2)
    assert float(audio["waveform"].max()) == 1000 / 32768
    (said,) = made[1].ui["text"]
    assert said.splitlines() == [
        "Recording 2 of 2: B eins.wav, 0.5 s.",
        "To make all of them, set index to 0 and the number beside Run to 2.",
    ]


def test_a_single_recording_needs_no_advice(node, comfy):
    write(comfy.input_folder / "one/a.wav")
    assert node.execute("one", 5).ui["text"] == ("Recording 1 of 1: a.wav, 0.5 s.",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.wav", "a.WAVE", "a.mp3"], ["a_mp3", "a_wav"]),
        (["%year%.wav", "100%.wav"], ["_year_", "100_"]),
        (["a. .wav"], ["a"]),
        (["x" * 240 + ".wav"], ["x" * 200]),
    ],
)
def test_names_mean_nothing_to_save_video(node, comfy, names, expected):
    for name in names:
        write(comfy.input_folder / "odd" / name)
    count = node.execute("odd", 0).args[2]
    stems = [node.execute("odd", index).args[1].removeprefix("video/odd/") for index in range(count)]
    assert [stem[:200] for stem in stems] == expected


REFUSED = {
    "parent": "../outside",
    "absolute": "/etc",
    "drive": "C:\\Windows",
    "later parent": "voices/../../outside",
    "empty": "",
    "NUL": "voices\0",
    "absent": "nowhere",
    "a file": "voices/note.txt",
    "no text": 3,
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_folders_elsewhere_are_refused_before_they_are_listed(node, folder, comfy, monkeypatch, value):
    write(comfy.input_folder.parent / "outside/a.wav")
    own, real = str(comfy.input_folder), os.scandir

    def scandir(path):
        assert os.path.realpath(path).startswith(own), f"listed {path}"
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert node.validate_inputs(value).startswith("Choose another folder of recordings")
    if isinstance(value, str):
        with pytest.raises(ValueError, match="^Choose (another folder of recordings|folder from its list)"):
            node.execute(value, 0)


def test_links_that_lead_out_are_refused(node, folder, comfy):
    outside = comfy.input_folder.parent / "outside"
    write(outside / "a.wav")
    if not make_link(comfy.input_folder / "away", outside):
        pytest.skip("this system makes no links")
    with pytest.raises(ValueError, match="^Choose another folder of recordings"):
        node.execute("away", 0)
    make_link(folder / "c.wav", outside / "a.wav")
    with pytest.raises(ValueError, match="^Replace the link by the recording"):
        node.execute("voices", 0)


def test_folders_without_recordings_and_with_too_many_files(node, folder, comfy, monkeypatch):
    (comfy.input_folder / "empty").mkdir()
    assert node.validate_inputs("empty").startswith("Put recordings into the folder")
    assert node.validate_inputs("voices") is True and node.validate_inputs(None) is True
    monkeypatch.setattr("sonic_nodes.nodes.recordings.MAX_ENTRIES", 3)
    with pytest.raises(ValueError, match="^Move recordings to another folder: this one has over 3 files"):
        node.execute("voices", 0)


def test_a_broken_recording_is_named(node, folder):
    (folder / "a 二.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="二.wav"):
        node.execute("voices", 0)


def test_the_list_has_folders_with_recordings(node, folder, comfy):
    write(comfy.input_folder / "clients/north/a.mp3")
    write(comfy.input_folder / "a/b/c/d/too_deep.wav")
    (comfy.input_folder / "pictures").mkdir()
    options = node.define_schema().inputs[0].options
    assert options == ["sonic_sample_recordings", "clients/north", "voices"]


def test_a_changed_folder_runs_again(node, folder):
    first = node.fingerprint_inputs("voices", 0)
    assert node.fingerprint_inputs("voices", 0) == first != node.fingerprint_inputs("voices", 1)
    write(folder / "c.wav")
    assert node.fingerprint_inputs("voices", 0) != first


def test_the_sample_folder_is_there(node, extension, comfy):
    extension.copy_samples(comfy.input_folder)
    names = [node.execute(extension.SAMPLE_FOLDER, index).args[1] for index in range(3)]
    assert names == [f"video/sonic_sample_recordings/{name}" for name in ("chinese", "english", "spanish")]
