"""Speed of the log-mel spectrogram compared with librosa's, both on one thread, in one run.

    python -m bench.log_mel [--seconds 30] [--repeats 15]

Both compute the same 80 bands from the same audio (the largest difference is printed). Each repeat measures one call of
each in processor time, which other programs affect little; the medians are compared. librosa's mel filters are computed
once, outside the measurement. Exits 1 when ours is slower.
"""

import argparse
import statistics
import sys
import time

import librosa
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from sonic_nodes.extension.native import _sonic


def librosa_log_mel(x, filters):
    power = np.abs(librosa.stft(x, n_fft=400, hop_length=160, pad_mode="reflect")[:, :-1]) ** 2
    logarithms = np.log10(np.maximum(filters @ power, 1e-10))
    return (np.maximum(logarithms, logarithms.max() - 8) + 4) / 4


def seconds_of(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 16000 * options.seconds).astype(np.float32)
    piece = x[: 16000 * 30]
    filters = librosa.filters.mel(sr=16000, n_fft=400, n_mels=80).astype(np.float32)
    if len(piece) == 480000:
        difference = np.abs(_sonic.log_mel(piece) - librosa_log_mel(piece, filters)).max()
        print(f"largest difference: {difference:.1e}")
    ours, theirs = [], []
    with threadpool_limits(1):
        for _ in range(options.repeats + 2):  # two of warm-up
            ours.append(seconds_of(lambda: _sonic.log_mel(x)))
            theirs.append(seconds_of(lambda: librosa_log_mel(x, filters)))
    mine, peer = statistics.median(ours[2:]), statistics.median(theirs[2:])
    times = f"{mine * 1e3:.1f} ms, librosa {librosa.__version__} {peer * 1e3:.1f} ms"
    print(f"{options.seconds} s of audio, one thread: {times}")
    print(f"ratio: {peer / mine:.1f}x librosa's speed")
    return int(mine > peer)


if __name__ == "__main__":
    sys.exit(main())
