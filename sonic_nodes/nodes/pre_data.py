"""SONIC_PreData: finds the face, frames it, and trims the recording. The names and the widget order of the first eight
inputs are those of the pack smthemex/ComfyUI_Sonic, so that its workflow files open."""

from comfy_api.latest import io, ui

from ..dub import CLIP_ENDS
from ..engines.settings import CROPS, FACE_ORDERS, MISMATCHES, PrepareSettings, limits
from .comfy_models import weights_of_object
from .common import CATEGORY, DType, PreData, Progress, advanced, clip_input, lazy_import, notes_ui, plain_errors
from .language import in_page_language
from .link_values import choice_problem, is_video, unless_linked


class SonicPreData(io.ComfyNode):
    NODE_ID = "SONIC_PreData"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONIC_PreData",
            category=CATEGORY,
            description="Finds the face, crops with room for the head to move, resizes, and trims the recording. Later "
            "nodes do not search for the face again: the preview shows what will speak. A video instead of the picture "
            "is dubbed: the draft engine gives the face in its frames a new mouth.",
            inputs=[*portrait_and_speech_inputs(), *model_inputs(), *face_inputs(), clip_end_input()],
            outputs=[
                PreData.Output(
                    "predata", display_name="data", tooltip="For Sonic Inference, Sonic Latent Decoder and Paste Back."
                ),
                io.Image.Output("preview", display_name="preview", tooltip="The framed portrait, as it will speak."),
                io.Audio.Output(
                    "speech",
                    display_name="audio",
                    tooltip="The trimmed recording. Connect this one to Create Video: the original is longer than the "
                    "video.",
                ),
                io.Float.Output(
                    "seconds", display_name="duration", tooltip="Length of the trimmed recording in seconds."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, crop="face"):
        problem = unless_linked(choice_problem, "crop", CROPS, crop)
        return in_page_language(problem) if problem else True

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
        start=0.0,
        face_order=PrepareSettings.face_order,
        clip_end=PrepareSettings.clip_end,
    ):
        types = lazy_import("nodes.comfy_types")
        objects = {"clip_vision": clip_vision, "vae": vae}
        connected = {network: value for network, value in objects.items() if value is not None}
        for network, comfy_object in connected.items():
            weights_of_object(network, comfy_object)
        sound, sound_notes = types.sound_from_audio(audio)
        pipeline, framing = lazy_import("pipeline"), lazy_import("nodes.framing")
        settings = {
            "min_resolution": min_resolution,
            "duration": duration,
            "expand_ratio": expand_ratio,
            "crop": crop,
            "face_index": face_index,
            "on_mismatch": on_mismatch,
            "start": start,
            "face_order": face_order,
            "clip_end": clip_end,
            "progress": Progress(cls.hidden.unique_id, "SONIC_PreData"),
        }
        if is_video(image):
            clip, picture_notes = lazy_import("nodes.video").clip_of(image), []
            data = pipeline.prepare_clip(clip, sound, face_mask=face_mask, **settings)
        else:
            picture, picture_notes = types.first_picture(image)
            mask = types.array_from_mask(face_mask, *picture.shape[:2])
            data = pipeline.prepare(picture, sound, face_mask=mask, **settings)
        data.update(connected)
        preview = types.image_from_uint8(data["image"][None])
        notes = [pipeline.frames_note(data), *picture_notes, *sound_notes, *data["notes"], framing.KEY]
        drawing = types.image_from_uint8(framing.drawn(data)[None])
        ui_entry = ui.PreviewImage(drawing, cls=cls).as_dict() | notes_ui(notes)
        speech = types.audio_from_sound(data["speech"])
        return io.NodeOutput(data, preview, speech, float(data["duration_s"]), ui=ui_entry)


def portrait_and_speech_inputs():
    return [
        io.Audio.Input(
            "audio",
            tooltip="The speech. The mouth also moves to music and to other voices; in silence it stays closed.",
        ),
        clip_input(
            "image",
            tooltip="The portrait; the first of a batch is used. If no face is found, the run stops here. A video is "
            "dubbed by the draft engine: its frames keep their size and stay as they are around the mouth.",
        ),
        io.Int.Input(
            "min_resolution",
            **limits(PrepareSettings, "min_resolution").widget(),
            tooltip="Short side of the video in pixels. Below 512 teeth blur. Time and memory grow with its square; "
            "more than the portrait has adds no detail.",
        ),
        io.Float.Input(
            "duration",
            **limits(PrepareSettings, "duration").widget(),
            tooltip="Seconds of the recording to use, from start on; 0 uses all of it. If the recording has fewer, "
            "on_mismatch decides.",
        ),
        io.Float.Input(
            "expand_ratio",
            **limits(PrepareSettings, "expand_ratio").widget(),
            tooltip="Room around the face, as a share of its size; 0.15 to 0.2 suits most portraits. Too small cuts "
            "off chin and hair when the head moves; too large makes the face small and soft.",
        ),
    ]


def model_inputs():
    return [
        io.ClipVision.Input(
            "clip_vision",
            optional=True,
            tooltip="Best left empty. CLIP of Stable Video Diffusion from ComfyUI's Image Only Checkpoint Loader, used "
            "instead of the Sonic Loader's. Another CLIP is refused.",
        ),
        io.Vae.Input(
            "vae",
            optional=True,
            tooltip="Best left empty. VAE of Stable Video Diffusion from ComfyUI's Image Only Checkpoint Loader, used "
            "instead of the Sonic Loader's. Another VAE is refused.",
        ),
        DType.Input(
            "weight_dtype",
            optional=True,
            tooltip="No effect; leave it empty. It exists for workflows of ComfyUI_Sonic.",
        ),
    ]


def face_inputs():
    return [
        io.Mask.Input(
            "face_mask",
            optional=True,
            tooltip="A mask painted over the face replaces face detection: for statues, animals, drawings, profiles. "
            "If it is too wide, the mouth ends up in the wrong place.",
        ),
        advanced(
            io.Combo.Input(
                "crop",
                options=list(CROPS),
                default=PrepareSettings.crop,
                optional=True,
                tooltip="face: frame the head. wide: as much of the picture as keeps the face large enough; the "
                "Latent Decoder pastes it back, so the video shows the whole picture. off: the whole picture, "
                "however small its face.",
            )
        ),
        advanced(
            io.Int.Input(
                "face_index",
                **limits(PrepareSettings, "face_index").widget(),
                optional=True,
                tooltip="Which face speaks: 0 is the first in face_order, 1 the next. If there is no such face, the "
                "run stops and reports how many there are.",
            )
        ),
        advanced(
            io.Combo.Input(
                "on_mismatch",
                options=list(MISMATCHES),
                default=PrepareSettings.on_mismatch,
                optional=True,
                tooltip="When duration asks for more than the recording has, by 0.1 s or more. use shorter: make the "
                "video as short as the recording and report it. refuse: stop with both numbers.",
            )
        ),
        advanced(
            io.Float.Input(
                "start",
                **limits(PrepareSettings, "start").widget(),
                optional=True,
                tooltip="Seconds of the recording to skip: where the video starts in it. If it is not below the "
                "recording's length, the run stops.",
            )
        ),
        advanced(
            io.Combo.Input(
                "face_order",
                options=list(FACE_ORDERS),
                default=PrepareSettings.face_order,
                optional=True,
                tooltip="How face_index counts. left-to-right suits several speakers of similar size: which of them is "
                "the largest changes with the picture.",
            )
        ),
    ]


def clip_end_input():
    return advanced(
        io.Combo.Input(
            "clip_end",
            options=list(CLIP_ENDS),
            default=PrepareSettings.clip_end,
            optional=True,
            tooltip="When the speech is longer than a video in image. loop: starts it again, or plays it back and "
            "forth where the step to its first frame would be seen. forward, back-and-forth: always that way. hold: "
            "its last frame stays. No effect on a picture.",
        )
    )
