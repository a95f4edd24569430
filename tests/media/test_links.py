"""Files that are several recordings one behind the other: all is read, or the file is refused."""

import io

import numpy as np
import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.media import links
from sonic_nodes.media.audio import read_sound, read_speech_at
from tests.media import clips

SECONDS = 1.5


def joined(folder, name, formats):
    """A file of recordings of `formats`, each (codec, rate, channels), with a tone of 300 Hz more in each."""
    content = b""
    for i, (codec, rate, channels) in enumerate(formats):
        tone = clips.tone(round(SECONDS * rate), rate, 300 * (i + 1))
        clips.write_sound(folder / name, np.tile(tone, (channels, 1)), rate, codec)
        content += (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    return folder / name


def main_hz(waveform, rate):
    return np.argmax(np.abs(np.fft.rfft(waveform))) * rate / len(waveform)


JOINED = [
    ("a.ogg", [("flac", 44100, 2), ("flac", 48000, 1)]),
    ("a.ogg", [("libopus", 48000, 1), ("libopus", 48000, 2), ("flac", 22050, 1)]),
    ("a.ogg", [("libopus", 48000, 1), ("libopus", 48000, 1)]),
    ("a.wav", [("pcm_s16le", 16000, 1), ("pcm_s24le", 44100, 2)]),
    ("a.aiff", [("pcm_s16be", 44100, 2), ("pcm_s16be", 48000, 2)]),
    ("a.flac", [("flac", 44100, 1), ("flac", 48000, 2), ("flac", 44100, 1)]),
    ("a.m4a", [("aac", 44100, 1), ("aac", 48000, 2)]),
    ("a.mp3", [("libmp3lame", 44100, 2), ("libmp3lame", 22050, 1)]),
    ("a.aac", [("aac", 44100, 1), ("aac", 48000, 2)]),
    ("a.ts", [("mp2", 44100, 2), ("mp2", 48000, 1)]),
]


@pytest.mark.parametrize(("name", "formats"), JOINED, ids=lambda v: v if isinstance(v, str) else "")
def test_all_recordings_are_read(tmp_path, name, formats):
    sound = read_sound(joined(tmp_path, name, formats))
    assert sound.duration_s == pytest.approx(SECONDS * len(formats), abs=0.15)
    assert (sound.rate, len(sound.waveform)) == (formats[0][1], max(channels for *_, channels in formats))
    for i in range(len(formats)):
        middle = sound.waveform[:, round((i + 0.3) * SECONDS * sound.rate) : round((i + 0.7) * SECONDS * sound.rate)]
        for channel in middle:
            assert main_hz(channel, sound.rate) == pytest.approx(300 * (i + 1), abs=5)
    changes = len({(rate, channels) for _, rate, channels in formats}) > 1
    assert any("changes its sampling rate or channels" in note for note in sound.notes) == changes
    assert not any("truncated" in note or "damaged" in note for note in sound.notes)
    speech, _ = read_speech_at(tmp_path / name)
    assert speech.duration_s == pytest.approx(sound.duration_s, abs=0.001) and speech.notes == sound.notes


def test_an_inverted_channel_in_one_recording_of_two(tmp_path):
    """Each keeps its own mixture: the stereo one would cancel as mono."""
    rate = 16000
    voice = np.repeat(np.random.default_rng(1).normal(size=40), 800) * clips.tone(32000, rate, 500)
    clips.write_float_wav(tmp_path / "a.wav", voice[None], rate)
    clips.write_float_wav(tmp_path / "b.wav", np.stack([voice, -voice]), 2 * rate)
    (tmp_path / "c.wav").write_bytes((tmp_path / "a.wav").read_bytes() + (tmp_path / "b.wav").read_bytes())
    speech, _ = read_speech_at(tmp_path / "c.wav")
    half = speech.waveform[0, 32000:]
    assert speech.samples == 48000 and np.sqrt((half**2).mean()) > 0.8 * np.sqrt((voice**2).mean())
    assert any("The mouth follows channel" in note for note in speech.notes)


def test_a_recording_that_cannot_be_read_is_refused(tmp_path):
    path = joined(tmp_path, "a.ogg", [("libopus", 48000, 1)])
    path.write_bytes(path.read_bytes() + b"OggS\0\2" + bytes(20) + b"\1\x1e" + bytes(30))
    with pytest.raises(InputError, match="^Convert the recording to WAV.* number 2 cannot be read"):
        read_sound(path)


def test_whole_files_are_one_part_and_parts_are_files():
    for content in (b"", b"RIFF\x04\0\0\0WAVE", b"OggS", b"fLaC" + bytes(99), b"\0\0\0\x08ftyp" * 3, bytes(500)):
        (part,) = links.parts(io.BytesIO(content))
        assert part.read() == content and part.size == len(content)
    first = b"RIFF\x06\0\0\0WAVE\1\2"
    a, b = links.parts(io.BytesIO(first + b"RIFF\x04\0\0\0WAVE"))
    assert (a.read(3), a.tell(), a.seek(-2, io.SEEK_END), a.read(), a.read()) == (b"RIF", 3, 12, b"\1\2", b"")
    assert b.read(100) == b"RIFF\x04\0\0\0WAVE"


def test_too_many_parts_are_refused():
    with pytest.raises(InputError, match="^Convert the recording to WAV"):
        links.parts(io.BytesIO(b"RIFF\x04\0\0\0WAVE" * 1002))


@pytest.mark.parametrize("head", [b"OggS\0\0" + bytes(21), b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 3])
def test_heads_without_number_are_not_all_looked_at(monkeypatch, head):
    """A file of nothing but empty pages or boxes."""
    monkeypatch.setattr(links, "MAX_HEADS", 50)
    read, file = [], io.BytesIO(head * 1000)
    monkeypatch.setattr(links, "FilePart", lambda *part: part[1:])

    class Counted:
        def seek(self, *place):
            return file.seek(*place)

        def read(self, size):
            read.append(size)
            return file.read(size)

    assert links.parts(Counted()) == [(0, 1000 * len(head))] and len(read) <= 51
