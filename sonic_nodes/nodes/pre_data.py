"""SONIC_PreData: finds the face, frames it, and trims the recording. The names and the widgets' order of the first
eight inputs are those of the pack smthemex/ComfyUI_Sonic, so that its workflow files open."""

from comfy_api.latest import io, ui

from .comfy_models import connected
from .common import CATEGORY, DType, PreData, expert, part, plain_errors, words

CROPS = ["face", "off"]
MISMATCHES = ["use shorter", "refuse"]


class SonicPreData(io.ComfyNode):
    NODE_ID = "SONIC_PreData"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONIC_PreData",
            category=CATEGORY,
            description="Finds the face, crops with room for the head to move, resizes, and trims the recording. Nothing after it looks "
            "for the face again, so what its preview shows is what will speak.",
            inputs=[
                io.Audio.Input(
                    "audio",
                    tooltip="The speech. Music or several voices at once make the mouth move to all of it; silence "
                    "keeps it closed.",
                ),
                io.Image.Input(
                    "image",
                    tooltip="The portrait. Of several pictures the first is taken. No face found stops the run here.",
                ),
                io.Int.Input(
                    "min_resolution",
                    default=512,
                    min=128,
                    max=2048,
                    step=64,
                    tooltip="Short side of the video in pixels. Too low is soft (below 512 teeth blur); too high costs time and memory "
                    "with its square and adds nothing that the portrait does not have.",
                ),
                io.Float.Input(
                    "duration",
                    default=0.0,
                    min=0.0,
                    max=1e11,
                    step=0.1,
                    tooltip="Seconds of the recording to use, from its start; 0 is all of it. Too short cuts the sentence; longer than "
                    "the recording follows on_mismatch.",
                ),
                io.Float.Input(
                    "expand_ratio",
                    default=0.18,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Room around the face, as a share of its size; 0.15 to 0.2 suits most portraits. Too small cuts chin and "
                    "hair when the head moves; too large makes the face small and soft.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP of Stable Video Diffusion from ComfyUI's Image Only Checkpoint Loader, used in place of "
                    "the Sonic Loader's. Best left empty. Another CLIP is refused.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="VAE of Stable Video Diffusion from ComfyUI's Image Only Checkpoint Loader, used in place of the "
                    "Sonic Loader's. Best left empty. Another VAE is refused.",
                ),
                DType.Input(
                    "weight_dtype",
                    optional=True,
                    tooltip="Has no effect. It is there for workflows of ComfyUI_Sonic; leave it empty.",
                ),
                io.Mask.Input(
                    "face_mask",
                    optional=True,
                    tooltip="Paint the face to skip the search for it: statues, animals, drawings, profiles. Painted too wide, the mouth "
                    "lands beside the mouth.",
                ),
                expert(
                    io.Combo.Input(
                        "crop",
                        options=CROPS,
                        default="face",
                        optional=True,
                        tooltip="'face' frames the head; 'off' keeps the whole picture, whose face may then be too small to be sharp.",
                    )
                ),
                expert(
                    io.Int.Input(
                        "face_index",
                        default=0,
                        min=0,
                        max=99,
                        optional=True,
                        tooltip="Which face speaks: 0 is the largest, 1 the next. A number with no face behind it stops the run and says how "
                        "many there are.",
                    )
                ),
                expert(
                    io.Combo.Input(
                        "on_mismatch",
                        options=MISMATCHES,
                        default="use shorter",
                        optional=True,
                        tooltip="When duration and recording differ by 0.1 s or more: 'use shorter' takes the shorter and says so, 'refuse' "
                        "stops with both numbers. With 'use shorter' a wrong duration cuts the speech.",
                    )
                ),
            ],
            outputs=[
                PreData.Output(
                    "predata", display_name="data", tooltip="For Sonic Inference, Sonic Latent Decoder and Paste Back."
                ),
                io.Image.Output("preview", display_name="preview", tooltip="The framed portrait, as it will speak."),
                io.Audio.Output(
                    "speech",
                    display_name="audio",
                    tooltip="The recording, trimmed. Give this one to Create Video: the untrimmed one runs past the pictures.",
                ),
                io.Float.Output(
                    "seconds", display_name="duration", tooltip="Length of the trimmed recording in seconds."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, crop="face", on_mismatch="use shorter"):
        for name, value, options in (("crop", crop, CROPS), ("on_mismatch", on_mismatch, MISMATCHES)):
            if value is not None and value not in options:
                return f"Set {name} to one of {', '.join(options)}: '{value}' is none of them."
        return True

    @classmethod
    @plain_errors
    def execute(
        cls,
        audio,
        image,
        min_resolution,
        duration,
        expand_ratio,
        clip_vision=None,
        vae=None,
        weight_dtype=None,
        face_mask=None,
        crop="face",
        face_index=0,
        on_mismatch="use shorter",
    ):
        exchange = part("nodes.comfy_types")
        for network, owner in (("clip_vision", clip_vision), ("vae", vae)):
            if owner is not None:
                connected(network, owner)
        picture, picture_notes = exchange.first_picture(image)
        sound, sound_notes = exchange.sound_from_audio(audio)
        data = part("pipeline").prepare(
            picture,
            sound,
            min_resolution=min_resolution,
            duration=duration,
            expand_ratio=expand_ratio,
            crop=crop,
            face_index=face_index,
            face_mask=exchange.array_from_mask(face_mask, *picture.shape[:2]),
            on_mismatch=on_mismatch,
        )
        data.update({name: value for name, value in (("clip_vision", clip_vision), ("vae", vae)) if value is not None})
        preview = exchange.image_from_pictures(data["image"][None])
        notes = picture_notes + sound_notes + list(data.get("notes", []))
        shown = ui.PreviewImage(preview, cls=cls).as_dict() | words(notes)
        return io.NodeOutput(
            data, preview, exchange.audio_from_sound(data["speech"]), float(data["duration_s"]), ui=shown
        )
