"""Any file that PyAV opens: exact length, exact start, and a sentence for what cannot be read."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.errors import InputError
from sonic_nodes.media import sound_limits
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.sound_reader import Section
from tests.media import clips
from tests.oracles.system import file_names, make_pipe

RATE = 48000
# FFmpeg before 8.1 rounds the ends of MP4 and Matroska to their time bases.
TOLERANCE_S = 0 if av.library_versions["libavformat"] >= (62, 12, 0) else 0.001
SAMPLES = 2 * RATE + 333  # no multiple of any codec's frame


def start_of(waveform):
    """Index of the first loud sample: where the click begins."""
    return int(np.argmax(np.abs(waveform) > 0.3))


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", RATE),
        ("a.wav", "pcm_s24le", RATE),
        ("a.wav", "pcm_u8", RATE),
        ("a.wav", "pcm_f64le", RATE),
        ("a.aiff", "pcm_s16be", RATE),
        ("a.flac", "flac", RATE),
        ("a.mp3", "libmp3lame", RATE),
        ("a.mp3", "libmp3lame", 22050),
        ("a.m4a", "aac", RATE),
        ("a.mp4", "aac", 16000),
        ("a.mov", "alac", RATE),
        ("a.opus", "libopus", RATE),
        ("a.webm", "libopus", RATE),
        ("a.mkv", "libmp3lame", RATE),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_length_and_start_are_exact(tmp_path, name, codec, rate, channels):
    samples = 2 * rate + 333
    waveform = np.stack([clips.tone(samples, rate, 300 + 100 * c) for c in range(channels)])
    clips.write_sound(tmp_path / name, waveform, rate, codec)
    sound = read_sound(tmp_path / name)
    assert sound.waveform.shape == (channels, sound.samples) and sound.waveform.dtype == np.float32
    assert (sound.rate, sound.notes) == (rate, ())
    assert abs(sound.samples - samples) <= (TOLERANCE_S * rate if name.endswith(("mp4", "m4a", "mkv")) else 0)
    assert start_of(sound.waveform[0]) <= rate / 1000
    middle = slice(samples // 4, samples // 2)
    for c in range(channels):
        assert np.corrcoef(sound.waveform[c, middle], waveform[c, middle])[0, 1] > 0.99


def test_values_of_integer_formats(tmp_path):
    values = np.array([0, 32767, -32768, 16384] * 1000, "<i2")
    clips.write_pcm(tmp_path / "a.wav", values.tobytes(), 16000)
    assert np.array_equal(read_sound(tmp_path / "a.wav").waveform[0], values / np.float32(32768))
    clips.write_pcm(tmp_path / "b.wav", bytes([128, 255, 0, 192] * 1000), 16000, width=1)
    assert read_sound(tmp_path / "b.wav").waveform[0, :4].tolist() == [0.0, 127 / 128, -1.0, 0.5]
    clips.write_pcm(tmp_path / "c.wav", b"\x00\x00\x40" * 4000, 16000, width=3)
    assert read_sound(tmp_path / "c.wav").waveform[0, 0] == 0.5


def test_six_channels_keep_their_order(tmp_path):
    levels = np.array([0.1, -0.2, 0.3, -0.4, 0.5, -0.6], np.float32)
    clips.write_float_wav(tmp_path / "a.wav", np.repeat(levels[:, None], 4000, 1), 16000)
    sound = read_sound(tmp_path / "a.wav")
    assert np.array_equal(sound.waveform[:, 7], levels)
    assert np.allclose(sound.mono(), levels.mean(), atol=1e-7)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_sound_of_a_video_keeps_its_place(tmp_path, name):
    """A sound that begins half a second after the pictures is read with half a second of silence in front."""
    waveform = clips.tone(SAMPLES, RATE)[None]
    clips.write_sound(tmp_path / name, waveform, RATE, "aac", pictures=60)
    assert start_of(read_sound(tmp_path / name).waveform[0]) <= RATE / 1000
    clips.write_sound(tmp_path / name, waveform, RATE, "aac", pictures=60, sound_delay_s=Fraction(1, 2))
    late = read_sound(tmp_path / name)
    assert abs(start_of(late.waveform[0]) - RATE // 2) <= RATE / 1000


def test_cover_picture_is_no_video(tmp_path):
    """A cover in an MP3 starts at 0, the decoded sound 25 ms later: no silence may be put in front."""
    clips.write_sound(tmp_path / "plain.mp3", clips.tone(SAMPLES, RATE)[None], RATE, "libmp3lame")
    Image.new("RGB", (16, 16)).save(tmp_path / "cover.jpg")
    picture = b"\0image/jpeg\0\x03\0" + (tmp_path / "cover.jpg").read_bytes()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0))
    (tmp_path / "cover.mp3").write_bytes(b"ID3\x03\0\0" + size + frame + (tmp_path / "plain.mp3").read_bytes())
    plain, cover = read_sound(tmp_path / "plain.mp3"), read_sound(tmp_path / "cover.mp3")
    assert np.array_equal(plain.waveform, cover.waveform)


@pytest.mark.parametrize(
    "name",
    file_names("a b.wav", 'it\'s "quoted".wav', "说话 录音.wav", "http:not.wav", "-x.wav", "%d.wav", "concat:a|b.wav"),
)
def test_file_names(tmp_path, name):
    clips.write_pcm(tmp_path / name, bytes(8000), 16000)
    assert read_sound(tmp_path / name).duration_s == 0.25
    assert read_sound(str(tmp_path / name)).samples == 4000


def test_silence_works(tmp_path):
    clips.write_pcm(tmp_path / "a.wav", bytes(32000), 16000)
    assert not read_sound(tmp_path / "a.wav").waveform.any()


def test_ten_minutes(tmp_path):
    clips.write_pcm(tmp_path / "a.wav", bytes(2 * 8000 * 600), 8000)
    sound = read_sound(tmp_path / "a.wav")
    assert sound.duration_s == 600 and sound.mono_16k().shape == (16000 * 600,)


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_sound(path)
    return str(caught.value)


def test_missing_file_and_folder(tmp_path):
    assert refusal(tmp_path / "no.wav").startswith("Check the file's name")
    assert refusal(tmp_path).startswith("Choose a file on disk:")
    assert refusal("a\0b").startswith("Choose another file")
    if make_pipe(tmp_path / "pipe"):
        assert refusal(tmp_path / "pipe").startswith("Choose a file on disk")


def test_what_is_no_sound(tmp_path):
    (tmp_path / "empty.wav").touch()
    assert "empty file" in refusal(tmp_path / "empty.wav")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "picture.wav").write_bytes((tmp_path / "a.png").read_bytes())
    assert "no sound" in refusal(tmp_path / "a.png")
    assert "no sound" in refusal(tmp_path / "picture.wav")
    clips.write_silent_video(tmp_path / "a.mp4")
    assert "no sound" in refusal(tmp_path / "a.mp4")
    (tmp_path / "a.txt").write_text("Hello, I am a text.\n" * 50)
    assert refusal(tmp_path / "a.txt").startswith("Choose a ")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(20000))
    assert refusal(tmp_path / "noise.mp4").startswith("Choose a")
    clips.write_pcm(tmp_path / "none.wav", b"", 16000)
    assert refusal(tmp_path / "none.wav").startswith("Choose a recording")
    clips.write_pcm(tmp_path / "short.wav", bytes(2 * 300), 16000)
    assert "at least 0.04 s" in refusal(tmp_path / "short.wav")


def test_playlists_read_no_other_file(tmp_path):
    clips.write_pcm(tmp_path / "secret.wav", bytes(8000), 16000)
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile secret.wav\n")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n")
    for name in ("list.wav", "list.m3u8"):
        assert refusal(tmp_path / name).startswith("Choose ")


def test_values_that_are_not_numbers(tmp_path):
    waveform = np.zeros((2, 16000), np.float32)
    waveform[1, 4000:4003] = [np.nan, np.inf, -np.inf]
    clips.write_float_wav(tmp_path / "nan.wav", waveform, 16000)
    message = refusal(tmp_path / "nan.wav")
    assert message.startswith("Export the recording again") and "3 samples" in message and "0.250 s" in message
    clips.write_float_wav(tmp_path / "loud.wav", np.full((1, 16000), 20000, np.float32), 16000)
    assert refusal(tmp_path / "loud.wav").startswith("Scale the recording")


def test_limits_are_checked_before_memory_is_spent(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_limits, "MAX_DURATION_S", 3)
    for name, codec in (("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.opus", "libopus"), ("a.mkv", "libopus")):
        clips.write_sound(tmp_path / name, clips.tone(10 * RATE, RATE)[None], RATE, codec)
        pieces = []
        real = Section.append
        monkeypatch.setattr(
            Section, "append", lambda self, piece, real=real, p=pieces: (p.append(piece.size), real(self, piece))
        )
        assert refusal(tmp_path / name).startswith("Cut the recording")
        assert sum(pieces) <= 3.3 * RATE
        monkeypatch.undo()
        monkeypatch.setattr(sound_limits, "MAX_DURATION_S", 3)
    for channels in (20, 64):
        clips.write_pcm(tmp_path / "many.wav", bytes(2 * channels * 4000), 16000, channels=channels)
        assert refusal(tmp_path / "many.wav").startswith("Mix the recording down")
    for rate in (1, 100, 2_000_000_000):
        clips.write_pcm(tmp_path / "rate.wav", bytes(8000), rate)
        assert refusal(tmp_path / "rate.wav").startswith("Convert the recording to 48000 Hz")
    monkeypatch.setattr(sound_limits, "MAX_VALUES", 100_000)
    clips.write_pcm(tmp_path / "wide.wav", bytes(2 * 8 * 16000), 16000, channels=8)
    assert "does not fit in memory" in refusal(tmp_path / "wide.wav")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.mp3", "libmp3lame"),
        ("a.m4a", "aac"),
        ("a.opus", "libopus"),
        ("a.flac", "flac"),
        ("a.mkv", "aac"),
    ],
)
def test_damaged_and_truncated_files(tmp_path, name, codec):
    """Either a sound within the limits or one sentence, never anything else."""
    clips.write_sound(tmp_path / name, clips.tone(SAMPLES, RATE)[None], RATE, codec)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(1)
    outcomes = set()
    for trial in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole))] if trial % 2 else whole)
        for at in rng.integers(0, len(data), rng.integers(1, 60) if trial % 4 != 1 else 0):
            data[at] = rng.integers(256)
        (tmp_path / "damaged").write_bytes(data)
        try:
            sound = read_sound(tmp_path / "damaged")
            assert np.isfinite(sound.waveform).all() and 0.04 <= sound.duration_s <= 1800
            outcomes.add("read")
        except InputError as error:
            assert str(error)[0].isupper() and ": " in str(error)
            outcomes.add("refused")
    assert outcomes
