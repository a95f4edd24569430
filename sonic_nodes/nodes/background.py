"""Background: puts the person of a clip before another background."""

from comfy_api.latest import io

from ..errors import InputError
from .common import (
    CATEGORY,
    Progress,
    blocked,
    clip_input,
    free_memory_bytes,
    images_blocked,
    lazy_import,
    notes_ui,
    plain_errors,
    video_blocked,
)
from .frame_streams import BackgroundFrames
from .link_values import is_video
from .video import opened

KINDS = ["green", "colour", "blur", "picture", "transparent"]


class SonicBackground(io.ComfyNode):
    NODE_ID, TITLE = "SonicBackground", "Sonic Background"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Puts the person of a clip before a colour, a picture, the blurred background, or none, with "
            "an edge that does not flicker.",
            inputs=[
                clip_input(
                    "images", tooltip="The frames of a clip, as images or as video, with a person near the camera."
                ),
                io.Combo.Input(
                    "background",
                    options=KINDS,
                    default="blur",
                    tooltip="green is that of studio screens; blur keeps the background out of focus; transparent "
                    "makes images and a mask.",
                ),
                io.String.Input(
                    "colour", default="#00b140", tooltip="With background colour: # and six hexadecimal digits."
                ),
                io.Image.Input(
                    "picture", optional=True, tooltip="With background picture: scaled to cover the frames."
                ),
            ],
            outputs=[
                io.Image.Output("pictures", display_name="images", tooltip="The same number of frames."),
                io.Mask.Output(
                    "mask",
                    display_name="mask",
                    tooltip="With background transparent: 0 on the person, 1 elsewhere, for Join Image with Alpha.",
                ),
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The video, made while it is saved, when a video is connected to images.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, background="blur", colour="#00b140", picture=None):
        backdrop, notes = backdrop_of(background, colour, picture)
        no_mask = blocked(f"Set background of {cls.TITLE} to transparent: only then it makes a mask.")
        if is_video(images):
            video = before(opened(images), backdrop)
            return io.NodeOutput(images_blocked(cls.TITLE), no_mask, video, ui=notes_ui(notes))
        clip = lazy_import("nodes.comfy_types").check_clip(images, "images")
        out = composed(clip, backdrop, Progress(cls.hidden.unique_id, cls.TITLE))
        mask = 1 - out[..., 3] if backdrop.channels == 4 else no_mask
        return io.NodeOutput(out[..., :3].contiguous(), mask, video_blocked(cls.TITLE), ui=notes_ui(notes))


def backdrop_of(background: str, colour: str, picture):
    """(Backdrop, notes for the user)."""
    backdrops = lazy_import("matting.backdrop")
    if background == "colour":
        return backdrops.Backdrop("colour", backdrops.colour_of(colour, "the node")), []
    if background != "picture":
        return backdrops.read_backdrop(background, "background"), []
    if picture is None:
        raise InputError("Connect a picture to the input picture, or choose another background: none is connected.")
    pixels, notes = lazy_import("nodes.comfy_types").first_picture(picture)
    return backdrops.Backdrop("picture", picture=pixels), notes


def before(video, backdrop):
    """The same video before a backdrop, made when it is saved."""
    if backdrop.channels == 4:
        raise InputError(
            "Connect images instead of a video, or choose another background: Save Video writes MP4, which keeps no "
            "transparency. The command `sonic render --background transparent` writes WebM and ProRes."
        )
    return video.with_frames(BackgroundFrames(video.frames, backdrop))


def composed(clip, backdrop, progress):
    """Float32 [frames, H, W, channels of the backdrop]; InputError where no person is found."""
    types = lazy_import("nodes.comfy_types")
    count, height, width = clip.shape[:3]
    types.require_memory(count + count * (backdrop.channels - 3), height, width, free_memory_bytes())
    presenter = lazy_import("matting.presenter").Presenter(backdrop, height, width)
    out, done = clip.new_empty(count, height, width, backdrop.channels, device="cpu", dtype=types.torch.float32), 0
    for chunk in types.uint8_chunks(clip):
        for frame in chunk:
            made = presenter.frame(frame)
            out[done] = types.image_from_uint8(made[None])[0]
            done += 1
            progress(done, count, made[..., :3])
    presenter.finish()
    return out
