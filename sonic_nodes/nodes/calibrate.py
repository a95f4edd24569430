"""Lip-sync Calibrate: measures the offset between voice and mouth, and shifts the sound where it is confident."""

from contextlib import closing

from comfy_api.latest import io

from ..errors import InputError
from .common import CATEGORY, Progress, clip_input, images_blocked, lazy_import, notes_ui, plain_errors, video_blocked
from .frame_streams import ImageFrames
from .link_values import is_video
from .video import opened

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
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The video with the sound shifted or unchanged, when a video is connected to images.",
                ),
            ],
        )

    @staticmethod
    def inputs():
        return [
            clip_input(
                "images",
                tooltip="A clip of one speaking face, at least two seconds long, as images or as video. Others pass "
                "through.",
            ),
            io.Audio.Input(
                "audio",
                tooltip="The clip's sound, starting with the first frame; it becomes the video's. Music or another "
                "voice passes through.",
            ),
            io.Float.Input(
                "fps",
                default=25.0,
                min=1.0,
                max=240.0,
                step=0.01,
                tooltip="Frames per second at which images are played; a video has its own. A wrong value looks like "
                "sound that drifts.",
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
        video = opened(images) if is_video(images) else None
        found, rate, notes = cls.measure(images if video is None else video, audio, fps)
        shift_ms, message = fix.decide(found, limit) if mode == FIX else (0.0, found.reason)
        out = types.map_audio(audio, lambda rows: fix.shift_samples(rows, rate, shift_ms)) if shift_ms else audio
        plot_image = types.image_from_uint8(plot.plot(found)[None])
        clip, shown = (
            (images_blocked(cls.TITLE), video.with_audio(out)) if video else (images, video_blocked(cls.TITLE))
        )
        drawn = plot.numbers(found) if rate else None  # nothing was measured without a rate
        entry = notes_ui([message, *notes]) | ({"sonic_plot": (drawn,)} if drawn else {})
        return io.NodeOutput(clip, out, found.offset_ms, found.confidence, plot_image, shown, ui=entry)

    @classmethod
    def measure(cls, clip, audio, fps):
        """(estimate, sample rate, notes for the user) of an IMAGE or a SonicVideo. A clip that cannot be measured gives
        an estimate with the reason and confidence 0."""
        types, estimate = lazy_import("nodes.comfy_types"), lazy_import("lipsync.estimate")
        try:
            frames = clip.frames if is_video(clip) else ImageFrames(types.check_clip(clip, "images"), fps)
            sound, notes = types.sound_from_audio(audio)
            heard = estimate.AudioFeatures.from_sound(sound)
            rate_hz = frames.fps if is_video(clip) else fps
            problem = estimate.problem_of_length(frames.count, float((frames.count - 1) / rate_hz), heard)
            if problem:
                return estimate.Estimate(0.0, 0.0, problem), 0, [*notes, *heard.notes]
            found = estimate.estimate(cls.track(frames, rate_hz), heard)
        except InputError as error:
            return estimate.Estimate(0.0, 0.0, f"Nothing was measured: {error}"), 0, []
        return found, sound.rate, [*notes, *found.notes]

    @classmethod
    def track(cls, frames, rate_hz):
        """The mouth in the frames of a FrameStream."""
        tracker = lazy_import("lipsync.estimate").mouth_tracker()
        progress = Progress(cls.hidden.unique_id, cls.TITLE, previews=False)  # a frame would stay beside the plot
        progress(0, frames.count)
        with closing(frames.chunks(lambda *_: progress.check())) as chunks:
            for i, frame in enumerate(frame for chunk in chunks for frame in chunk):
                tracker.update(frame, float(i / rate_hz))
                progress(i + 1, frames.count, frame)
        return tracker.track
