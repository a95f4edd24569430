"""Quality and speed of the resampler compared with soxr HQ, both on one thread, in one run.

    python -m bench.resample [--seconds 60] [--repeats 9]

Quality: the error of a sine at 0.85 of the lower Nyquist frequency relative to the same sine at the new rate, and the
residual of a sine just above that frequency. Speed: medians of interleaved repeats on noise, in processor time.
"""

import argparse
import statistics
import time

import numpy as np
import soxr
import torch

from sonic_nodes.extension.native import _sonic

RATES = [(44100, 16000), (48000, 16000), (24000, 16000), (44101, 16000), (16000, 48000)]


def sine(hz, rate):
    return np.sin(2 * np.pi * hz * np.arange(2 * rate) / rate).astype(np.float32)


def decibels(error):
    return 20 * np.log10(max(np.abs(error).max(), 1e-12))


def quality(work, rate_in, rate_out):
    hz, edge = 0.85 * min(rate_in, rate_out) / 2, rate_out // 10
    passed = work(sine(hz, rate_in), rate_in, rate_out)[edge:-edge] - sine(hz, rate_out)[edge:-edge]
    stopped = (
        work(sine(1.02 * rate_out / 2, rate_in), rate_in, rate_out)[edge:-edge]
        if rate_in > 1.1 * rate_out
        else np.zeros(1)
    )
    return decibels(passed), decibels(stopped)


def seconds_of(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def hq(x, rate_in, rate_out):
    return soxr.resample(x, rate_in, rate_out, quality="HQ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for rate_in, rate_out in RATES:
        x = np.random.default_rng(0).uniform(-0.5, 0.5, rate_in * options.seconds).astype(np.float32)
        ours, theirs = [], []
        for _ in range(options.repeats + 1):
            ours.append(seconds_of(lambda x=x, a=rate_in, b=rate_out: _sonic.resample(x, a, b)))
            theirs.append(seconds_of(lambda x=x, a=rate_in, b=rate_out: hq(x, a, b)))
        mine, peer = statistics.median(ours[1:]), statistics.median(theirs[1:])
        speed = f"{options.seconds / mine:.0f}x real time, ratio {peer / mine:.2f}x soxr's speed"
        print(f"{rate_in} to {rate_out} Hz: {speed}")
        for name, work in (("ours", _sonic.resample), ("soxr HQ", hq)):
            passed, stopped = quality(work, rate_in, rate_out)
            print(f"    {name}: error {passed:.0f} dB in the pass band, {stopped:.0f} dB residual above it")


if __name__ == "__main__":
    main()
