"""Writes the file of a VIDEO, with its label and ComfyUI's workflow, while its frames are made."""

import json
from contextlib import closing

from ..errors import InputError
from .common import Progress, executing_node, lazy_import, send_text

FORMATS, CODECS, COLOURS = ("auto", "mp4"), ("auto", "h264"), (None, "auto", "sRGB")
TITLE = "Save Video"


def is_plain(format, codec, encoding: dict) -> bool:
    """Whether write_file makes what Save Video asks for."""
    others = {name for name, value in encoding.items() if value is not None} - {"crf", "bit_depth", "color_space"}
    is_standard = encoding.get("bit_depth") in (None, 8) and encoding.get("color_space") in COLOURS
    return format in FORMATS and codec in CODECS and is_standard and not others


def write_file(video, path: str, metadata: dict, crf: float | None) -> None:
    """video: SonicVideo. metadata: {name: value}; values that are not text are stored as JSON, as ComfyUI does. Shows
    under the node that saves what was done to the frames, and that the file is labelled. Frames of a labelled video get
    an invisible watermark, unless they have it from the file that they were read from."""
    frames, progress = video.frames, Progress(executing_node(), TITLE, previews=False)
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    tags, marker = lazy_import("watermark.marker").with_watermark(video.tags)
    writer = lazy_import("media.video_writer").VideoWriter(
        path,
        frames.width,
        frames.height,
        frames.fps,
        sound_of(video),
        metadata={**given, **tags},
        any_tag=True,
        crf=crf,
        packet=video.packet,
    )
    progress.set_headline(f"{frames.count} frames of {frames.width}x{frames.height}")
    with writer, closing(video.chunks(progress)) as chunks:
        for chunk in chunks:
            writer.write(marker.apply(chunk) if marker else chunk)
    # The label before the notes: ComfyUI 0.33.0 shows two lines above the player.
    send_text(progress.node_id, "\n".join([progress.headline, label_note(path), *frames.notes()]))


def sound_of(video):
    """media.audio.Sound of a SonicVideo, no longer than its frames; None for a silent one."""
    if video.audio is None:
        return None
    sound, _ = lazy_import("nodes.comfy_types").sound_from_audio(video.audio)
    length_s, frame_s = video.frames.duration_s, float(1 / video.frames.fps)
    return sound.trimmed(length_s) if sound.duration_s > length_s + frame_s else sound


def label_note(path: str) -> str:
    """What the file says about its origin, as read from it."""
    try:
        found = lazy_import("media.provenance").read_back(path)
    except InputError:
        return "The file does not say that it is AI-generated: its frames come from another video."
    return f"The file says that it is AI-generated: engine {found.get('engine')}, seed {found.get('seed')}."
