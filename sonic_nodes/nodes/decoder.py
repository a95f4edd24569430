"""Sonic Latent Decoder: latents -> a VIDEO whose frames are decoded while it is saved, or all frames in system
memory."""

from fractions import Fraction

from comfy_api.latest import io

from ..engines.settings import SharedSettings, limits
from ..errors import UsageError
from ..models.constants import FPS
from .comfy_models import with_comfy_models
from .common import (
    CATEGORY,
    ModelSonic,
    PreData,
    Progress,
    advanced,
    blocked,
    free_memory_bytes,
    lazy_import,
    plain_errors,
)
from .frame_streams import DecodedFrames, KeptFrames
from .pasted_frames import PastedFrames
from .preview import preview_ui
from .video import SonicVideo

TITLE = "Sonic Latent Decoder"
IMAGES, VIDEO = OUTPUTS = ["images", "video"]
NO_IMAGES = "Connect the output video of the Sonic Latent Decoder, or set its output to 'images': it makes a video."


class SonicLatentDecoder(io.ComfyNode):
    NODE_ID = "SonicLatentDecoder"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=TITLE,
            category=CATEGORY,
            description="Decodes the latent into frames, 25 per second: into system memory, or as a video that is "
            "decoded, encoded and written chunk by chunk when it is saved, however long it is.",
            inputs=cls.inputs(),
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="All frames of the clip."),
                io.Float.Output(
                    "fps",
                    display_name="fps",
                    tooltip="Frames per second: connect it to Create Video, or video and sound run apart.",
                ),
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The clip with its sound and its label, for Save Video, Paste Back, Lip-sync Calibrate and "
                    "Motion Smooth.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @staticmethod
    def inputs():
        return [
            ModelSonic.Input("model", tooltip="The model that made the latent; another engine is refused."),
            io.Latent.Input("latent", tooltip="From Sonic Inference. A latent of another model is refused."),
            PreData.Input(
                "data", tooltip="The data that made the latent; other data draws this mouth on another face."
            ),
            advanced(
                io.Boolean.Input(
                    "interpolate",
                    default=True,
                    tooltip="On: 25 frames per second. Off: every second frame, 12.5 per second, which looks "
                    "choppy; connect fps to Create Video, or video and sound run apart.",
                )
            ),
            io.Combo.Input(
                "output",
                options=OUTPUTS,
                default=IMAGES,
                optional=True,
                tooltip="images: all frames at once, 0.8 GB for 10 seconds at 512x512, for any node. video: frames are "
                "made when Save Video asks for them, in a few hundred MB; connect video, not images.",
            ),
        ]

    @classmethod
    @plain_errors
    def execute(cls, model, latent, data, interpolate=True, output=IMAGES):
        video = decoded(model, latent, data, interpolate)
        fps, progress = float(video.frames.fps), Progress(cls.hidden.unique_id, TITLE, previews=output == IMAGES)
        if output == VIDEO:  # frames that take long are not made twice
            shown = preview_ui(video, progress) if model.redraws else None
            return io.NodeOutput(blocked(NO_IMAGES), fps, video, ui=shown)
        images = video.images(progress)
        video = video.of_images(images)
        shown = preview_ui(video, Progress(cls.hidden.unique_id, TITLE, previews=False))
        return io.NodeOutput(images, fps, video, ui=shown)


def decoded(model, latent, data, interpolate: bool) -> SonicVideo:
    """The clip of a LATENT, with the speech and the label; of a wide crop, in the whole portrait."""
    model, data = with_comfy_models(model, data)
    model.check(latent, data)
    fps = Fraction(FPS) if interpolate else Fraction(FPS, 2)
    frames, speech = DecodedFrames(model, latent, data, interpolate, fps), data.get("speech")
    if not model.redraws and KeptFrames.fit(frames, free_memory_bytes()):
        frames = KeptFrames(frames)
    if data["paste_back"] and not lazy_import("pipeline").shows_whole(data):
        frames = PastedFrames(frames, data, limits(SharedSettings, "feather").default)
    if speech is not None and not issubclass(type(speech), lazy_import("media.audio").Sound):
        raise UsageError("Connect the data of SONIC_PreData, unchanged: its entry 'speech' is not as it was made.")
    audio = lazy_import("nodes.comfy_types").audio_from_sound(speech) if speech is not None else None
    tags = lazy_import("engines.label").tags_from_latent(model, latent, data, pasted=data["paste_back"])
    return SonicVideo(frames, audio, tags)
