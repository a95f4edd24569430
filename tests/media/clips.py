"""Small media files, made with PyAV on the spot."""

import wave
from fractions import Fraction

import av
import numpy as np


def tone(samples, rate, hz=440.0):
    """float32 [samples] that begins with a click, so that its first sample can be found again."""
    x = 0.4 * np.sin(2 * np.pi * hz * np.arange(samples) / rate)
    x[:8] = 0.9
    return x.astype(np.float32)


def write_sound(path, waveform, rate, codec, format=None, pictures=0, sound_delay_s=Fraction(0)):
    """`waveform` float32 [channels, samples]; with `pictures`, a 25 fps video track comes with it."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(waveform)]
    with av.open(str(path), "w", format=format) as container:
        video = container.add_stream("libx264", rate=25) if pictures else None
        if video:
            video.width = video.height = 32
        stream = container.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        convert = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
        for i in range(pictures):
            container.mux(
                video.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), i % 256, np.uint8), format="rgb24"))
            )
        if video:
            container.mux(video.encode(None))
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            piece.pts += round(sound_delay_s * rate)
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def write_silent_video(path, pictures=10):
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 32
        for _ in range(pictures):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))


def write_pcm(path, samples, rate, width=2, channels=1):
    """`samples`: bytes of interleaved little-endian PCM of `width` bytes."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)


def write_float_wav(path, waveform, rate):
    """32-bit float WAV (format tag 3) of float32 [channels, samples]: what `wave` cannot write."""
    data = np.ascontiguousarray(waveform.T.astype("<f4")).tobytes()
    channels = len(waveform)
    head = (3).to_bytes(2, "little") + channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    head += (
        (rate * channels * 4).to_bytes(4, "little") + (channels * 4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    )
    chunks = b"fmt " + len(head).to_bytes(4, "little") + head + b"data" + len(data).to_bytes(4, "little") + data
    path.write_bytes(b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks)
