"""Motion Smooth: removes flicker, shake and frame noise from a clip where they are measured."""

from collections import deque

from comfy_api.latest import io

from ..errors import InputError
from .common import (
    CATEGORY,
    Progress,
    clip_input,
    free_memory_bytes,
    images_blocked,
    lazy_import,
    notes_ui,
    plain_errors,
    video_blocked,
)
from .frame_streams import SmoothedFrames
from .language import in_page_language
from .link_values import is_video
from .video import opened

LATER = "The video is smoothed while it is saved: the node that saves it says what was corrected."


class SonicMotionSmooth(io.ComfyNode):
    NODE_ID, TITLE = "SonicMotionSmooth", "Sonic Motion Smooth"
    passed_on = ("images",)

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Removes flicker, shake and frame noise from a clip without softening frames or lips. Each is "
            "corrected only where it is measured with confidence; a clean clip passes through unchanged.",
            inputs=[
                clip_input(
                    "images",
                    tooltip="The frames of a clip, as images or as video, at any rate and size. Scene cuts are "
                    "detected and kept.",
                ),
                io.Float.Input(
                    "strength",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 changes nothing; 0.5 corrects what is measured; above that, noise is filtered more "
                    "strongly and some fine detail is lost.",
                ),
                io.Boolean.Input(
                    "protect_mouth",
                    default=True,
                    tooltip="On: lips and eyes are not denoised and the detail of faces is kept.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "pictures",
                    display_name="images",
                    tooltip="The same number of frames; frames without faults are unchanged.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="What was corrected in how many frames, or that nothing was.",
                ),
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The video, smoothed while it is saved, when a video is connected to images.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, strength=0.5, protect_mouth=True):
        if is_video(images):
            video, report = smooth_video(opened(images), strength, protect_mouth)
            return io.NodeOutput(images_blocked(cls.TITLE), in_page_language(report), video, ui=notes_ui([report]))
        smoother = lazy_import("smooth.frames").Smoother(strength, protect_mouth)
        progress = Progress(cls.hidden.unique_id, cls.TITLE)
        try:
            clip = lazy_import("nodes.comfy_types").check_clip(images, "images")
            out = smooth_image(clip, smoother, progress) if strength else images
            report = smoother.summary()
        except InputError as error:
            out, report = images, f"Nothing was changed: {error}"
        return io.NodeOutput(out, in_page_language(report), video_blocked(cls.TITLE), ui=notes_ui([report]))


def smooth_video(video, strength: float, protect_mouth: bool):
    """(SonicVideo, report): the same video when nothing can change."""
    if not strength:
        return video, lazy_import("smooth.frames").Smoother(strength, protect_mouth).summary()
    try:
        return video.with_frames(SmoothedFrames(video.frames, strength, protect_mouth)), LATER
    except InputError as error:
        return video, f"Nothing was changed: {error}"


def smooth_image(images, smoother, progress):
    """A copy of an IMAGE with the changed values; the same IMAGE when no value changes."""
    types, originals, out = lazy_import("nodes.comfy_types"), deque(), images

    def frames():
        for chunk in types.uint8_chunks(images):
            for frame in chunk:
                progress.check()
                originals.append(frame)
                yield frame

    progress(0, len(images))
    for i, frame in enumerate(smoother.run(frames())):
        changed = frame != originals.popleft()
        if changed.any():
            if out is images:
                types.require_memory(*images.shape[:3], free_memory_bytes())
                out = images.clone()
            types.write_levels(out[i], frame, changed)
        progress(i + 1, len(images), frame)
    return out
