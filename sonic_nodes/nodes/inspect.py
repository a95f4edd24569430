"""Sonic Inspect: what the file of a video says about its origin."""

import json

from comfy_api.latest import io

from .common import CATEGORY, Progress, lazy_import, notes_ui, plain_errors
from .language import in_page_language
from .video import file_of


class SonicInspect(io.ComfyNode):
    NODE_ID = "SonicInspect"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Inspect",
            category=CATEGORY,
            description="Says what a video's file says about its origin: labels, consent and signature, whoever made "
            "it. That none is found is no proof that a video was not generated.",
            inputs=[
                io.Video.Input(
                    "video",
                    tooltip="Of Load Video: its file is read as it is. A video of other nodes is first written to a "
                    "temporary file.",
                )
            ],
            outputs=[
                io.String.Output("report", display_name="report", tooltip="The findings in sentences."),
                io.Boolean.Output(
                    "ai_generated",
                    display_name="ai_generated",
                    tooltip="Whether anything in the file says that it is AI-generated.",
                ),
                io.String.Output("findings", display_name="json", tooltip="The findings as JSON."),
            ],
            is_output_node=True,
        )

    @classmethod
    @plain_errors
    def execute(cls, video):
        found = lazy_import("provenance.inspection").inspected(file_of(video), check=Progress.check)
        report = "\n".join(lazy_import("provenance.report").lines_of(found))
        return io.NodeOutput(in_page_language(report), found["ai_generated"], json.dumps(found), ui=notes_ui([report]))
