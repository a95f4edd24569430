"""One video from one picture and one recording: what `sonic render` does, streamed so that memory does not grow with
length."""

import contextlib
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from .. import pipeline
from ..errors import OutputError, UsageError
from ..media.audio import read_sound
from ..media.files import is_same_file
from ..media.image import read_picture
from ..media.provenance import metadata
from ..media.video_writer import VideoWriter
from .render_engine import commanded, details_of, engine_of, planned, tell
from .render_options import settle


def render_file(options):
    """Render and return what `--json` prints. `options`: the attributes that render_options.py defines."""
    started = time.perf_counter()
    settle(options)
    if not options.output:
        return foretold(options)
    check_output(options)
    engine, settings = engine_of(options)
    data = prepared(options)
    for note in data["notes"]:
        tell(note)
    if engine.name == "sonic":
        tell(planned(engine, data, settings).title)
    with bar_of("sampling" if engine.name == "sonic" else None) as progress:
        latent = engine.infer(data, options.seed, settings, progress)
    for note in latent["sonic"].get("notes", ()):
        tell(note)
    frames, render_seconds = write_video(engine, latent, data, options)
    return {
        "output": os.path.abspath(options.output),
        "frames": frames,
        "fps": fps_of(options),
        "duration_s": data["duration_s"],
        "seconds": time.perf_counter() - started,
        "render_seconds": render_seconds,
        "peak_memory_mb": peak_memory_mb(),
        **commanded(engine, latent),
    }


def foretold(options):
    """What `--plan-only` prints: the plan as a dict, its lines on standard error."""
    engine, settings = engine_of(options)
    plan = planned(engine, prepared(options), settings)
    print("\n".join(plan.text), file=sys.stderr)
    return {"plan": plan.as_dict()}


def prepared(options):
    """SONIC_PREDATA of the files."""
    picture, sound = read_picture(options.portrait), read_sound(options.speech)
    return pipeline.prepare(
        picture,
        sound,
        min_resolution=options.min_resolution,
        expand_ratio=options.expand_ratio,
        face_index=options.face,
        face_mask=read_mask(options.face_mask),
        on_mismatch="refuse",
    )


@contextlib.contextmanager
def bar_of(what):
    """A function for an engine's progress, which shows a bar with the time left; None, without a bar, where nothing
    takes long."""
    if what is None:
        yield None
        return
    form = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
    with tqdm(desc=what, file=sys.stderr, disable=None, leave=False, bar_format=form) as bar:

        def show(done, total, picture=None):
            bar.total = total
            bar.update(done - bar.n)

        yield show


def fps_of(options):
    return pipeline.FPS / 2 if options.no_interpolate else pipeline.FPS


def read_mask(path):
    """The brightness of a picture file, uint8 [H, W], or None when there is none."""
    return None if path is None else np.asarray(Image.fromarray(read_picture(path)).convert("L"))


def check_output(options):
    """Find out before the work, not after it, that the result has nowhere to go."""
    output = Path(options.output)
    if output.suffix.lower() != ".mp4":
        raise UsageError(f"Name the output with .mp4 at its end: it is {output.name!r}.")
    for source in (options.portrait, options.speech):
        if is_same_file(output, source):
            raise UsageError(f"Choose another output: {output} is an input and would be overwritten.")


def write_video(engine, latent, data, options):
    """Stream frames from the engine to the encoder. Returns how many there were and the seconds spent in the engine."""
    size = data["source"].shape if options.paste_back else data["image"].shape
    tags = metadata(engine=engine.name, seed=options.seed, **details_of(engine, latent))
    spent, count = 0.0, 0
    with contextlib.ExitStack() as stack:
        still = stack.enter_context(FrameFolder(options.frames)) if options.frames else None
        writer = stack.enter_context(
            VideoWriter(
                options.output,
                size[1],
                size[0],
                fps_of(options),
                data["speech"],
                lossless=options.lossless,
                metadata=tags,
            )
        )
        show = stack.enter_context(bar_of("drawing"))
        chunks = engine.decode(latent, data, show, not options.no_interpolate)
        stack.callback(chunks.close)
        while True:
            before = time.perf_counter()
            frames = next(chunks, None)
            spent += time.perf_counter() - before
            if frames is None:
                return count, spent
            count += len(frames)
            if options.paste_back:
                frames = pipeline.paste_back(frames, data)
            writer.write(frames)
            if still:
                still.write(frames)


class FrameFolder:
    """Writes frames as DIR/000001.png ...; if the job fails, those it wrote are removed again."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.written = []
        self.made = not self.folder.exists()

    def __enter__(self):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Choose another folder for --frames: {self.folder} cannot be made ({error.strerror})."
            ) from error
        return self

    def write(self, frames):
        for frame in frames:
            path = self.folder / f"{len(self.written) + 1:06d}.png"
            self.written.append(path)
            try:
                Image.fromarray(frame).save(path, compress_level=1)
            except OSError as error:
                raise OutputError(
                    f"Free some space or choose another folder for --frames: {path} cannot be written ({error})."
                ) from error

    def __exit__(self, kind, error, trace):
        if kind is None:
            return
        for path in self.written:
            path.unlink(missing_ok=True)
        if self.made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def peak_memory_mb():
    """Highest resident memory of this process so far, in MB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
