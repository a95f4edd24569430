"""Sonic Visible Label: a line of text in a corner of a video, and the consent of the people in it."""

from contextlib import closing

from comfy_api.latest import io

from ..provenance.limits import CORNERS, DEFAULT_SIZE, MAX_SIZE, MIN_SIZE
from .common import CATEGORY, lazy_import, plain_errors
from .frame_streams import FrameStream
from .video import opened


class LabelledFrames(FrameStream):
    """With a caption. UsageError where it does not fit."""

    def __init__(self, source: FrameStream, caption):
        super().__init__(source.count, source.height, source.width, source.fps)
        drawer = lazy_import("provenance.caption").CaptionDrawer
        self.source, self.drawer = source, drawer(caption, source.width, source.height, float(source.fps))

    def chunks(self, report):
        done = 0
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                yield self.drawer.drawn(chunk, done)
                done += len(chunk)

    def notes(self):
        return self.source.notes()


class SonicVisibleLabel(io.ComfyNode):
    NODE_ID = "SonicVisibleLabel"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Visible Label",
            category=CATEGORY,
            description="Draws a label such as AI-generated or AI生成 in a corner of a video while it is saved, and "
            "keeps the consent of the people in it in the file.",
            inputs=cls.inputs(),
            outputs=[io.Video.Output("labelled", display_name="video", tooltip="The labelled video, for Save Video.")],
        )

    @staticmethod
    def inputs():
        return [
            io.Video.Input(
                "video", tooltip="Connect it as the last node before Save Video: what smooths or crops comes before."
            ),
            io.String.Input(
                "text",
                default="AI-generated",
                tooltip="Name both AI and generation. Too long a text does not fit and stops the run.",
            ),
            io.Combo.Input("corner", options=list(CORNERS), default=CORNERS[0], tooltip="Where the label stands."),
            io.Float.Input(
                "size",
                default=DEFAULT_SIZE,
                min=MIN_SIZE,
                max=MAX_SIZE,
                step=0.005,
                tooltip="Height of a capital letter, as a share of the shorter side. China asks for 0.05 at least.",
            ),
            io.Boolean.Input(
                "always", default=False, tooltip="On: on all frames. Off: on those of the first two seconds."
            ),
            io.String.Input(
                "consent",
                default="",
                multiline=True,
                optional=True,
                tooltip="Who agrees, to what and until when, which everyone who has the video can read. A line until: "
                "2027-12-31 stops runs after that day.",
            ),
        ]

    @classmethod
    @plain_errors
    def execute(cls, video, text, corner, size, always, consent=""):
        marks = lazy_import("provenance.marks").Marks(
            caption=lazy_import("provenance.caption").Caption(text, corner, size, always),
            consents=lazy_import("provenance.consent").consents_of_texts([consent] if consent.strip() else []),
        )
        source = opened(video)
        tags = lazy_import("provenance.marks").added(source.tags, marks)
        return io.NodeOutput(source.with_frames(LabelledFrames(source.frames, marks.caption)).with_tags(tags))
