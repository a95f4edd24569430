"""Lip-sync Calibrate: measures the offset between voice and mouth, and shifts the sound where it is confident."""

from comfy_api.latest import io

from ..errors import InputError
from .common import CATEGORY, Progress, lazy_import, notes_ui, plain_errors

FIX, MEASURE = "fix", "measure"


class SonicLipSyncCalibrate(io.ComfyNode):
    NODE_ID, TITLE = "SonicLipSyncCalibrate", "Sonic Lip-sync Calibrate"
    passed_on = ("images", "audio")

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Measures how far the sound is ahead of the mouth or behind it, and shifts the sound when the "
            "measurement is confident. Frames are never changed; an uncertain clip passes through unchanged.",
            inputs=cls.inputs(),
            hidden=[io.Hidden.unique_id],
            outputs=[
                io.Image.Output("pictures", display_name="images", tooltip="The frames, unchanged."),
                io.Audio.Output(
                    "sound", display_name="audio", tooltip="The sound, shifted or unchanged, of the same length."
                ),
                io.Float.Output(
                    "offset_ms",
                    display_name="offset_ms",
                    tooltip="Measured offset in milliseconds; above 0 the sound comes after the mouth.",
                ),
                io.Float.Output(
                    "confidence", display_name="confidence", tooltip="0 to 1; the sound is shifted from 0.9 up."
                ),
                io.Image.Output(
                    "plot",
                    display_name="plot",
                    tooltip="How well sound and mouth match at each offset, and both curves.",
                ),
            ],
        )

    @staticmethod
    def inputs():
        return [
            io.Image.Input(
                "images", tooltip="A clip of one speaking face, at least two seconds long. Others pass through."
            ),
            io.Audio.Input(
                "audio",
                tooltip="The clip's sound, starting with the first frame. Music or another voice passes through.",
            ),
            io.Float.Input(
                "fps",
                default=25.0,
                min=1.0,
                max=240.0,
                step=0.01,
                tooltip="Frames per second at which the clip is played. A wrong value looks like sound that drifts.",
            ),
            io.Combo.Input(
                "mode",
                options=[FIX, MEASURE],
                default=FIX,
                tooltip="fix shifts the sound; measure only reports the offset.",
            ),
            io.Float.Input(
                "max_offset_ms",
                default=200.0,
                min=0.0,
                max=600.0,
                step=1.0,
                tooltip="The largest shift. A larger offset is reported but not corrected; offsets up to 600 ms are "
                "measured in any case.",
            ),
        ]

    @classmethod
    @plain_errors
    def execute(cls, images, audio, fps, mode, max_offset_ms):
        types, fix, plot = lazy_import("nodes.comfy_types"), lazy_import("lipsync.fix"), lazy_import("lipsync.plot")
        limit = fix.check_max_offset(max_offset_ms)
        found, rate, notes = cls.measure(images, audio, fps)
        shift_ms, message = fix.decide(found, limit) if mode == FIX else (0.0, found.reason)
        out = types.map_audio(audio, lambda rows: fix.shift_samples(rows, rate, shift_ms)) if shift_ms else audio
        plot_image = types.image_from_uint8(plot.plot(found)[None])
        return io.NodeOutput(images, out, found.offset_ms, found.confidence, plot_image, ui=notes_ui([message, *notes]))

    @classmethod
    def measure(cls, images, audio, fps):
        """(estimate, sample rate, notes for the user). A clip that cannot be measured gives an estimate with the reason
        and confidence 0."""
        types, estimate = lazy_import("nodes.comfy_types"), lazy_import("lipsync.estimate")
        try:
            images = types.check_clip(images, "images")
            sound, notes = types.sound_from_audio(audio)
            heard = estimate.AudioFeatures.from_sound(sound)
            problem = estimate.problem_of_length(len(images), (len(images) - 1) / fps, heard)
            if problem:
                return estimate.Estimate(0.0, 0.0, problem), 0, [*notes, *heard.notes]
            found = estimate.estimate(cls.track(images, fps), heard)
        except InputError as error:
            return estimate.Estimate(0.0, 0.0, f"Nothing was measured: {error}"), 0, []
        return found, sound.rate, [*notes, *found.notes]

    @classmethod
    def track(cls, images, fps):
        """The mouth in the frames of an IMAGE."""
        tracker, progress = lazy_import("lipsync.estimate").mouth_tracker(), Progress(cls.hidden.unique_id, cls.TITLE)
        progress(0, len(images))
        frames = (frame for chunk in lazy_import("nodes.comfy_types").uint8_chunks(images) for frame in chunk)
        for i, frame in enumerate(frames):
            tracker.update(frame, i / fps)
            progress(i + 1, len(images), frame)
        return tracker.track
