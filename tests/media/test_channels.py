"""Mono for the mouth, and what the video keeps of more than two channels."""

import av
import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic
from sonic_nodes.media import channels
from sonic_nodes.media.aac import AacTrack
from sonic_nodes.media.audio import Sound, read_sound, read_speech_at
from sonic_nodes.media.voice import voice_note
from tests.media import clips

RATE = 16000
COUNT = 4 * RATE


@pytest.fixture(scope="module")
def voice(sample_dir):
    return read_sound(sample_dir / "speech.wav").waveform[0, :COUNT].copy()


def noise(level, seed=1):
    return (np.random.default_rng(seed).normal(size=COUNT) * level).astype(np.float32)


def later(voice, ms):
    return np.concatenate([np.zeros(round(ms * RATE / 1000), np.float32), voice])[:COUNT]


def every_other_second(voice, odd):
    return np.where((np.arange(COUNT) // RATE) % 2 == odd, voice, 0).astype(np.float32)


ZERO = np.zeros(COUNT, np.float32)
# channels of which the mean loses the voice
LOSING = {
    "inverted": lambda v: [v, -v],
    "inverted and a little quieter": lambda v: [-0.95 * v, v],
    "inverted in one half": lambda v: [v, np.where(np.arange(COUNT) < COUNT // 2, v, -v)],
    "1 ms later": lambda v: [v, later(v, 1)],
    "2.5 ms later, inverted": lambda v: [later(v, 2.5), -0.9 * v],
    "6 ms later": lambda v: [v, later(v, 6)],
    "beside loud noise": lambda v: [noise(0.2), v],
    "beside loud hum": lambda v: [v, np.sin(2 * np.pi * 150 * np.arange(COUNT) / RATE).astype(np.float32)],
    "5.1, in front inverted": lambda v: [v, -v, ZERO, ZERO, ZERO, ZERO],
    "7.1, centre below loud noise": lambda v: [
        noise(0.1),
        noise(0.1, 2),
        v,
        ZERO,
        *(noise(0.1, i) for i in range(3, 7)),
    ],
    "three, two inverted": lambda v: [v, -v, 0.05 * v],
}
# channels whose mean is right, and stays bit for bit
AGREEING = {
    "the same": lambda v: [v, v],
    "panned": lambda v: [v, 0.4 * v],
    "one silent": lambda v: [ZERO, v],
    "one much quieter": lambda v: [v, 0.03 * v],
    "with soft noise": lambda v: [v + noise(0.001), v + noise(0.001, 2)],
    "two speakers": lambda v: [every_other_second(v, 0), every_other_second(v, 1)],
    "two speakers, heard in both": lambda v: [
        every_other_second(v, 0) + 0.3 * later(every_other_second(v, 1), 2),
        every_other_second(v, 1) + 0.3 * later(every_other_second(v, 0), 2),
    ],
    "silence": lambda v: [ZERO, ZERO],
}


def opening(mono):
    return _sonic.draft_poses(np.ascontiguousarray(mono), COUNT * 25 // RATE, 1, 1.0, 1.0, 1.0)[:, 0]


@pytest.mark.parametrize("name", LOSING)
def test_the_mouth_follows_the_voice(voice, name):
    sound = Sound(np.stack(LOSING[name](voice)).astype(np.float32), RATE)
    found = np.corrcoef(opening(sound.mono_16k()), opening(voice))[0, 1]
    assert found > 0.95 and "The mouth follows channel" in sound.mix.note


@pytest.mark.parametrize("name", AGREEING)
def test_the_mean_stays_where_channels_agree(voice, name):
    waveform = np.stack(AGREEING[name](voice)).astype(np.float32)
    sound = Sound(waveform, RATE)
    assert np.array_equal(sound.mono_16k(), waveform.mean(axis=0, dtype=np.float32)) and sound.mix.note == ""


def test_the_centre_of_a_film_is_heard_through_its_effects(voice):
    waveform = np.stack([noise(0.02), noise(0.02, 2), voice, 3 * noise(0.1, 3), noise(0.02, 4), noise(0.02, 5)])
    sound = Sound(waveform, RATE)
    assert np.array_equal(sound.mono(), voice) and "channel 3 (centre)" in sound.mix.note


def test_real_recordings_keep_their_mean(shared_dir):
    for path in sorted((shared_dir / "talking").glob("*.mp[34]")):
        sound = read_sound(path).trimmed(8)
        assert sound.mix.note == "" and voice_note(sound.mono_16k(), 16000) == "", path.name
        quiet = Sound(sound.waveform * np.float32(10**-1.5), sound.rate)
        assert voice_note(quiet.mono_16k(), 16000) == "", path.name


@pytest.mark.parametrize("seconds", [4, 23])
def test_speech_that_is_read_in_blocks_follows_the_same_channel(tmp_path, voice, seconds):
    mono = np.resize(voice, seconds * RATE)
    clips.write_float_wav(tmp_path / "a.wav", np.stack([mono, -mono]), RATE)
    speech, _ = read_speech_at(tmp_path / "a.wav")
    assert np.allclose(speech.waveform[0], mono, atol=1e-6)
    assert any("The mouth follows channel 1 (left)" in note for note in speech.notes)


def loudness_db(waveform):
    """Sum of the channels' powers, as ITU-R BS.1770 adds them."""
    return 10 * np.log10((waveform.astype(np.float64) ** 2).mean(1).sum())


LAYOUTS = {
    "3.0": ("FL", "FR", "FC"),
    "4.0": ("FL", "FR", "FC", "BC"),
    "quad": ("FL", "FR", "BL", "BR"),
    "5.0(side)": ("FL", "FR", "FC", "SL", "SR"),
    "5.1": channels.DEFAULT_POSITIONS[6],
    "6.1": channels.DEFAULT_POSITIONS[7],
    "7.1": channels.DEFAULT_POSITIONS[8],
    "hexagonal": ("FL", "FR", "FC", "BL", "BR", "BC"),
    "ambisonic": ("AMBI0", "AMBI1", "AMBI2", "AMBI3"),
    "16 microphones": (),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_voice_in_any_channel_keeps_its_loudness(tmp_path, voice, name):
    positions = LAYOUTS[name]
    count = len(positions) or 16
    for channel in {0, 2, count - 1} if name != "ambisonic" else {0}:
        waveform = np.tile(0.01 * voice, (count, 1))
        waveform[channel] = voice
        if positions and positions[channel] == "LFE":
            continue
        mixed, layout = channels.for_aac(waveform, positions)
        assert abs(loudness_db(mixed) - loudness_db(waveform)) < 4, (name, channel)
        assert bool(channels.output_note(positions, count)) == (len(mixed) != count)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        track = AacTrack(container, Sound(waveform, RATE, positions=positions))
        track.close()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.audio[0].codec_context.layout.name.removesuffix("(side)") == layout
        decoded = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    assert loudness_db(decoded) == pytest.approx(loudness_db(mixed), abs=1)


def test_a_mixture_does_not_clip():
    loud = np.full((7, 1000), 0.9, np.float32)
    assert np.abs(channels.for_aac(loud, ())[0]).max() <= 1


def test_eight_planes_do_not_crash(tmp_path, voice):
    """PyAV reads behind planar frames of eight channels (media/samples.py): a crash would end the tests."""
    waveform = np.tile(0.1 * voice[: RATE // 2], (8, 1))
    waveform[2] = voice[: RATE // 2]
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.codec_context.layout = "7.1"
        frame = av.AudioFrame.from_ndarray(waveform.T.reshape(1, -1).copy(), format="flt", layout="7.1")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = read_sound(tmp_path / "a.m4a")
    assert sound.waveform.shape == (8, RATE // 2) and sound.positions == channels.DEFAULT_POSITIONS[8]
    assert np.corrcoef(sound.waveform[2], voice[: RATE // 2])[0, 1] > 0.95
