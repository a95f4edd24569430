"""`sonic render`: one video from one picture and one recording, streamed so that memory does not grow with length."""

import argparse
import contextlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from .. import pipeline
from ..dub.clip import Clip
from ..engines import engine_class
from ..errors import InputError, UsageError
from ..matting.backdrop import Backdrop, read_backdrop
from ..matting.presenter import Presenter
from ..media.audio import read_sound
from ..media.channels import output_note
from ..media.clip_file import is_clip
from ..media.files import check_video_path, is_same_file
from ..media.frame_folder import FrameFolder
from ..media.image import load_picture, read_picture
from ..media.provenance import metadata, record_of
from ..media.video_writer import ALPHA_SUFFIXES, VideoWriter
from ..memory.host import peak_resident_bytes
from ..models.constants import FPS, LATENT_FPS
from ..printable import printable
from ..provenance.caption import CaptionDrawer
from ..provenance.marks import marked
from ..provenance.signed_copy import finisher
from ..watermark.marker import Marker, with_watermark
from .render_options import RenderRequest
from .streams import say

WORTH_MEASURING_FLOP = 10**13  # a shorter run takes a minute or two even on a CPU


def run(options: argparse.Namespace) -> int:
    result = render_file(options)
    if options.json:
        print(json.dumps(result))
    elif "output" in result:
        print(printable(result["output"]))
    return 0


def render_file(options: argparse.Namespace) -> dict:
    """Renders, or with --plan-only estimates, and returns what `--json` prints."""
    started = time.perf_counter()
    request = RenderRequest.of(options)
    if not request.plan_only:
        check_output(request)
    backdrop = backdrop_of(request)
    engine = engine_class(request.engine).open(request.options, notify)
    data = prepared(request)
    caption_of(request, frame_shape(request, data))  # shows before the work whether it can be drawn
    plan = timed_plan(engine, data, request.settings)
    if request.plan_only:
        say("\n".join(plan.text))
        return {"plan": plan.as_dict()}
    return rendered(request, engine, data, plan, started, backdrop)


def rendered(
    request: RenderRequest, engine, data: dict, plan, started: float, backdrop, tell=None, meter=None, **tag
) -> dict:
    """Makes the video, and returns what `--json` prints.

    backdrop what stands behind the person (Backdrop), or None
    tell     called with sentences for the user; None: `notify`
    meter    makes the context that yields a progress callback, from its title; None: `bar`
    tag      more facts for the label in the file
    """
    tell, meter = tell or notify, meter or bar
    notes = [*data["notes"], *sound_notes(data["speech"])]
    for note in [*notes, *([plan.title] if plan else [])]:
        tell(note)
    with meter("sampling") if plan else contextlib.nullcontext() as progress:
        latent = engine.infer(data, request.seed, request.settings, progress)
    for note in latent["sonic"].get("notes", ()):
        tell(note)
        notes.append(note)
    description = engine.describe(latent)
    tags = metadata(engine=engine.name, seed=request.seed, **description.metadata, **tag)
    tags = marked(tags, data, request.marks, is_pasted(request, data))
    frames, render_seconds = write_video(engine, latent, data, request, tags, meter, backdrop)
    return {
        "output": os.path.abspath(request.output),
        "frames": frames,
        "fps": fps_of(request),
        "duration_s": data["duration_s"],
        "seconds": time.perf_counter() - started,
        "render_seconds": render_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "notes": notes,
        **description.summary,
    }


def notify(sentence: str):
    say(f"sonic: {printable(sentence)}")


def sound_notes(sound) -> list[str]:
    """What the MP4 changes of the sound."""
    note = output_note(sound.positions, len(sound.waveform))
    return [note] if note else []


def prepared(request: RenderRequest) -> dict:
    """SONIC_PREDATA of the files."""
    try:
        return prepared_clip(request) if is_clip(request.portrait) else prepared_picture(request)
    except pipeline.RecordingTooShort as error:
        raise InputError(f"Lower --duration, or leave it out to use all that there is: {error.fact}.") from None


def prepared_picture(request: RenderRequest) -> dict:
    picture, sound = load_picture(request.portrait), read_sound(request.speech)
    mask = read_mask(request.face_mask)
    data = pipeline.prepare(picture.pixels, sound, face_mask=mask, **asdict(request.prepare))
    return data | {"notes": [*picture.notes, *data["notes"]]}


def prepared_clip(request: RenderRequest) -> dict:
    if request.engine != "draft":
        raise UsageError("Leave out --engine sonic, or give a picture: only the draft engine gives a clip a new mouth.")
    if request.face_mask is not None:
        raise UsageError("Leave out --face-mask, or give a picture: a mask does not follow the face through a clip.")
    clip, sound = Clip(request.portrait), read_sound(request.speech)
    with bar("following the face") as show:
        return pipeline.prepare_clip(clip, sound, progress=show, **asdict(request.prepare))


def timed_plan(engine, data: dict, settings):
    """The engine's plan. The machine is measured, so that the plan has times, where the run is long enough for that to
    matter."""
    plan = engine.plan(data, settings)
    if plan is None or sum(stage.flops for stage in plan.stages) < WORTH_MEASURING_FLOP:
        return plan
    engine.calibrate(plan.dtype)
    return engine.plan(data, settings)


@contextlib.contextmanager
def bar(title: str):
    """Yields an engine's progress callback; it draws a bar with the time left."""
    form = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
    with tqdm(desc=title, file=sys.stderr, disable=None, leave=False, bar_format=form) as drawn:

        def show(done, total, preview=None):
            drawn.total = total
            drawn.update(done - drawn.n)

        yield show


def fps_of(request: RenderRequest) -> float:
    return FPS if request.interpolate else LATENT_FPS


def read_mask(path: str | None) -> np.ndarray | None:
    """The brightness of a picture file, uint8 [H, W]."""
    return None if path is None else np.asarray(Image.fromarray(read_picture(path)).convert("L"))


def check_output(request: RenderRequest):
    """Raises UsageError or OutputError for outputs that cannot be used, before the work starts."""
    output = Path(request.output)
    check_suffix(request, output)
    for source in (request.portrait, request.speech):
        if is_same_file(output, source):
            raise UsageError(f"Choose another output: {output} is an input and would be overwritten.")
    check_video_path(request.output)
    if request.frames:
        FrameFolder.check(request.frames)


def check_suffix(request: RenderRequest, output: Path):
    if request.background != "transparent":
        if output.suffix.lower() != ".mp4":
            raise UsageError(f"Name the output with .mp4 at its end: it is {output.name!r}.")
        return
    if output.suffix.lower() not in ALPHA_SUFFIXES:
        raise UsageError(
            "Name the output with .webm or .mov at its end, which keep transparency (VP9, ProRes 4444): "
            f"it is {output.name!r}."
        )
    if request.lossless:
        raise UsageError("Leave out --lossless, or choose another --background: transparent videos are not lossless.")
    if request.signer:
        raise UsageError("Leave out --sign, or choose another --background: only MP4 files are signed.")


def write_video(
    engine, latent: dict, data: dict, request: RenderRequest, tags: dict, meter, backdrop: Backdrop | None
) -> tuple[int, float]:
    """Streams frames from the engine to the encoder. Returns their number and the seconds spent in the engine."""
    size, pasted = frame_shape(request, data), is_pasted(request, data)
    caption = caption_of(request, size)
    # --lossless is for measurements: its frames are the engine's, bit for bit
    tags, marker = (tags, None) if request.lossless else with_watermark(tags)
    spent, count = 0.0, 0
    presenter = Presenter(backdrop, *size[:2]) if backdrop else None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(FrameFolder(request.frames)) if request.frames else None
        publish = {"before_rename": folder.publish} if folder else {}
        writer = stack.enter_context(
            VideoWriter(
                request.output,
                size[1],
                size[0],
                fps_of(request),
                data["speech"],
                lossless=request.lossless,
                metadata=tags,
                finish=finisher(request.signer, request.output, record_of(tags)["digital_source_type"]),
                alpha=backdrop is not None and backdrop.channels == 4,
                **publish,
            )
        )
        show = stack.enter_context(meter("drawing"))
        chunks = engine.decode(latent, data, show, request.interpolate)
        stack.callback(chunks.close)
        while True:
            before = time.perf_counter()
            frames = next(chunks, None)
            spent += time.perf_counter() - before
            if frames is None:
                if presenter:
                    presenter.finish()
                return count, spent
            if pasted:
                frames = pipeline.paste_back(frames, data)
            if presenter:
                frames = presenter.chunk(frames)
            frames = with_marks(frames, caption, marker, count)
            count += len(frames)
            writer.write(frames)
            if folder:
                folder.write(frames)


def with_marks(frames: np.ndarray, caption: CaptionDrawer | None, marker: Marker | None, first: int) -> np.ndarray:
    """The frames with the visible label and the watermark; `first` is the number of the first one. The label is opaque
    where the frames have alpha."""
    marked = frames[..., :3]
    if caption:
        marked = caption.drawn(marked, first)
    opaque = (marked != frames[..., :3]).any(axis=3) if frames.shape[3] == 4 else None
    if marker:
        marked = marker.apply(marked)
    if opaque is None:
        return marked
    alpha = np.where(opaque, np.uint8(255), frames[..., 3])
    return np.concatenate([marked, alpha[..., None]], axis=3)


def backdrop_of(request: RenderRequest) -> Backdrop | None:
    return None if request.background is None else read_backdrop(request.background)


def is_pasted(request: RenderRequest, data: dict) -> bool:
    return (request.paste_back or data["paste_back"]) and not pipeline.shows_whole(data)


def frame_shape(request: RenderRequest, data: dict) -> tuple[int, ...]:
    return data["source"].shape if is_pasted(request, data) else pipeline.drawn_size(data)


def caption_of(request: RenderRequest, size) -> CaptionDrawer | None:
    """size: the shape of the frames."""
    caption = request.marks.caption
    return caption and CaptionDrawer(caption, size[1], size[0], fps_of(request))


def peak_memory_mb():
    """Highest resident memory of this process so far, in MB; None where the system does not report it."""
    peak = peak_resident_bytes()
    return None if peak is None else peak / 1e6
