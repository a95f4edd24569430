"""Lip-sync Calibrate: measures how far the voice is from the mouth, and moves the sound where that is certain."""

from comfy_api.latest import io

from ..errors import InputError, UsageError
from .common import CATEGORY, Progress, part, plain_errors, words

FIX, MEASURE = "fix", "measure"


class SonicLipSyncCalibrate(io.ComfyNode):
    NODE_ID = "SonicLipSyncCalibrate"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Lip-sync Calibrate",
            category=CATEGORY,
            description="Measures how far the mouth runs ahead of the voice or behind it, and moves the sound where the measurement is "
            "certain. The pictures are never changed; an uncertain clip passes through as it is.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="A clip of one speaking face, of two seconds or more. Other clips pass through."
                ),
                io.Audio.Input(
                    "audio",
                    tooltip="Its sound, which begins with the first picture. Music or another voice passes through.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.01,
                    tooltip="Pictures a second, as they will be shown. A wrong number looks like sound that drifts.",
                ),
                io.Combo.Input(
                    "mode",
                    options=[FIX, MEASURE],
                    default=FIX,
                    tooltip="fix moves the sound; measure only tells the offset.",
                ),
                io.Float.Input(
                    "max_offset_ms",
                    default=200.0,
                    min=0.0,
                    max=600.0,
                    step=1.0,
                    tooltip="The sound is never moved by more: a larger offset is told but not mended. Up to 600 ms are searched.",
                ),
            ],
            outputs=[
                io.Image.Output("pictures", display_name="images", tooltip="The pictures that came in."),
                io.Audio.Output(
                    "sound", display_name="audio", tooltip="The sound, moved or as it came in; of the same length."
                ),
                io.Float.Output(
                    "offset_ms", display_name="offset_ms", tooltip="Above 0 the sound came after the mouth."
                ),
                io.Float.Output(
                    "confidence", display_name="confidence", tooltip="0 to 1; the sound is moved from 0.9 on."
                ),
                io.Image.Output(
                    "plot", display_name="plot", tooltip="How well sound and mouth fit at each offset, and both curves."
                ),
            ],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, audio, fps, mode, max_offset_ms):
        if mode not in (FIX, MEASURE):
            raise UsageError(f"Set mode to {FIX} or {MEASURE}: it is {mode!r}.")
        exchange, fix, plot = part("nodes.comfy_types"), part("lipsync.fix"), part("lipsync.plot")
        limit = fix.check_max_offset(max_offset_ms)
        found, rate, notes = cls.measure(images, audio, fps)
        later_ms, said = fix.decide(found, limit) if mode == FIX else (0.0, found.reason)
        out = exchange.audio_changed(audio, lambda rows: fix.moved_rows(rows, rate, later_ms)) if later_ms else audio
        picture = exchange.image_from_pictures(plot.plot(found)[None])
        return io.NodeOutput(images, out, found.offset_ms, found.confidence, picture, ui=words([said, *notes]))

    @classmethod
    def measure(cls, images, audio, fps):
        """(estimate, the sound's rate, what else is to be said); what cannot be measured is an estimate that says
        so."""
        exchange, estimate = part("nodes.comfy_types"), part("lipsync.estimate")
        if not 1 <= fps <= 240:
            raise UsageError(f"Choose fps from 1 to 240: it is {fps}.")
        try:
            exchange.check_clip(images)
            sound, notes = exchange.sound_from_audio(audio)
            eyes, count = estimate.follower(), 0
            for chunk in exchange.with_progress(exchange.chunks_of(images), len(images), Progress()):
                for picture in chunk:
                    eyes.see(picture, count / fps)
                    count += 1
        except InputError as error:
            return estimate.Estimate(0.0, 0.0, f"Nothing was measured: {error}"), 0, []
        return estimate.estimate(eyes.track, sound), sound.rate, notes
