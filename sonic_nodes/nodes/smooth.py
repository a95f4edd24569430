"""Motion Smooth: flicker, shake and frame noise taken out of a clip where they are measured."""

from collections import deque

from comfy_api.latest import io

from ..errors import InputError
from .common import CATEGORY, Progress, free_memory_bytes, part, plain_errors, words


class SonicMotionSmooth(io.ComfyNode):
    NODE_ID = "SonicMotionSmooth"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Motion Smooth",
            category=CATEGORY,
            description="Takes flicker, shake and frame noise out of a clip without softening the picture or the lips. Each is mended only "
            "where it is measured with certainty; a clip without faults passes through as it is.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="The frames of a clip, at any rate and size. Scene cuts are found and kept."
                ),
                io.Float.Input(
                    "strength",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 changes nothing, 0.5 mends what is measured, and above it noise is filtered more strongly at the cost of "
                    "fine detail.",
                ),
                io.Boolean.Input(
                    "protect_mouth",
                    default=True,
                    tooltip="Keeps the noise filter away from lips and eyes, and the detail of faces as it is.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "pictures",
                    display_name="images",
                    tooltip="As many frames; those without faults exactly as they came.",
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="What was mended in how many frames, or that nothing was."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, strength=0.5, protect_mouth=True):
        smoother = part("smooth.frames").Smoother(strength, protect_mouth)
        progress = Progress(cls.hidden.unique_id, "Sonic Motion Smooth")
        try:
            part("nodes.comfy_types").check_clip(images)
            out = smoothed(images, smoother, progress) if strength else images
            said = smoother.words()
        except InputError as error:
            out, said = images, f"Nothing was changed: {error}"
        return io.NodeOutput(out, said, ui=words([said]))


def smoothed(images, smoother, progress):
    """An IMAGE with what changed in it; the one given where nothing did."""
    exchange, given, out = part("nodes.comfy_types"), deque(), images

    def frames():
        for chunk in exchange.chunks_of(images):
            for frame in chunk:
                progress.check()
                given.append(frame)
                yield frame

    progress(0, len(images))
    for i, frame in enumerate(smoother.run(frames())):
        changed = frame != given.popleft()
        if changed.any():
            if out is images:
                exchange.require_memory(*images.shape[:3], free_memory_bytes())
                out = images.clone()
            exchange.put_levels(out[i], frame, changed)
        progress(i + 1, len(images), frame)
    return out
