"""The quality gate in nodes: the policies, the outputs about a picture, and Image Quality Gate for images of other
nodes."""

from collections.abc import Sequence

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..errors import InputError, ResourceError
from .common import CATEGORY, Progress, free_memory_bytes, lazy_import, notes_ui, plain_errors
from .language import in_page_language
from .link_values import choice_problem, unless_linked

OFF, WARN, REPAIR, STRICT = POLICIES = ["off", "warn", "repair", "strict"]
MIN_SCORE = 60.0
STEPS = 4  # of a picture: face, verdict, repair, heat map
OFF_NOTE = "Quality gate off."


def policy_input(**options):
    return io.Combo.Input(
        "policy",
        options=POLICIES,
        default=WARN,
        **options,
        tooltip="What to do about a poor picture, which makes a poor video. warn: report it under the node. repair: "
        "also remove JPEG artefacts. strict: stop the run with the reasons. off: report nothing.",
    )


def min_score_input(**options):
    return io.Float.Input(
        "min_score",
        default=MIN_SCORE,
        min=0.0,
        max=100.0,
        step=1.0,
        **options,
        tooltip="Lowest score that passes. Warnings start below 60, rejections below 30. Raise it to be stricter; too "
        "high, and strict stops at good pictures. Rejected pictures never pass.",
    )


def gate_outputs():
    return [
        io.Float.Output("score", display_name="score", tooltip="0 to 100, higher is better; the worst of a batch."),
        io.Boolean.Output(
            "passed", display_name="passed", tooltip="True when every picture reaches min_score and none is rejected."
        ),
        io.String.Output("report", display_name="report", tooltip="The verdict, and what to do about each reason."),
        io.Image.Output(
            "heat_map", display_name="heat_map", tooltip="Traces of JPEG blocks, red to yellow over the dimmed picture."
        ),
    ]


class SonicImageGate(io.ComfyNode):
    NODE_ID, TITLE = "SonicImageGate", "Sonic Image Quality Gate"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Checks images from other nodes the way Load Image (Sonic) checks files: JPEG compression, "
            "also after resizing or saving as PNG, blur of the face, upscaling, noise. A batch is checked image by "
            "image.",
            inputs=[
                io.Image.Input(
                    "pixels", tooltip="Images from any node. For a file, use Load Image (Sonic), which finds more."
                ),
                policy_input(),
                min_score_input(),
            ],
            outputs=[
                io.Image.Output(
                    "pictures",
                    display_name="image",
                    tooltip="The same images; with policy repair, JPEG artefacts are removed where possible.",
                ),
                io.Mask.Output(
                    "alpha",
                    display_name="mask",
                    tooltip="1 where the images are transparent, else 0; all 0 without an alpha channel.",
                ),
                *gate_outputs(),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, policy):
        return policy_problem(policy)

    @classmethod
    @plain_errors
    def execute(cls, pixels, policy=WARN, min_score=MIN_SCORE):
        types = lazy_import("nodes.comfy_types")
        gate, out = Gate(policy, min_score, pixels.shape, Progress(cls.hidden.unique_id, cls.TITLE)), pixels
        for i in range(len(pixels)):
            picture = types.uint8_from_image(pixels[i : i + 1])[0]
            repaired = gate.check(picture, alpha=types.alpha_from_mask(types.mask_from_image(pixels[i : i + 1])))
            if repaired is not None:
                out = pixels.clone() if out is pixels else out
                types.write_levels(out[i], repaired, repaired != picture)
        return io.NodeOutput(out, types.mask_from_image(pixels), *gate.outputs(), ui=gate.ui_entry(cls, [], (), pixels))


class Gate:
    """Checks pictures one after another and applies a policy."""

    def __init__(self, policy: str, min_score: float, shape: tuple[int, ...], progress: Progress):
        """shape: [pictures, height, width, ...]. progress: told after each step of each picture."""
        count, height, width = shape[:3]
        needed, free = count * height * width * 12, free_memory_bytes()
        if needed > free:
            raise ResourceError(
                f"Give fewer or smaller images, or close other programs: {count} heat maps of {width}x{height} need "
                f"{needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB is free."
            )
        self.policy, self.min_score = policy, float(min_score)
        self.heat_maps = torch.empty(count, height, width, 3)
        self.verdicts, self.repair_notes = [], []  # one each per picture, after its repair if any
        self.was_ok = []  # whether each picture was fine before any repair
        self.progress, self.done, self.total = progress, 0, count * STEPS
        progress(0, self.total)

    def step(self) -> None:
        """Reports one step, and stops where Cancel was pressed."""
        self.done += 1
        self.progress(self.done, self.total)

    def check(
        self, picture: np.ndarray, data: bytes | None = None, alpha: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Checks picture uint8 [H,W,3]; `data` are the bytes of its file, if it has one; alpha: its opacity uint8 [H,W]
        if the colour of transparent pixels is not its own. Returns the repaired picture, or None when it is unchanged;
        raises InputError when the policy stops the run."""
        face = lazy_import("gate.check").largest(picture)
        self.step()
        verdict, regions = self.verdict_on(picture, data, face, alpha)
        self.step()
        self.was_ok.append(verdict["verdict"] == "ok")
        repaired, note = None, ""
        if self.policy == REPAIR and verdict["evidence"]:
            repaired, verdict, note = self.repair(picture, data, face, verdict, alpha)
        self.step()
        heat_map = lazy_import("gate.heat").drawn(picture, regions)
        self.heat_maps[len(self.verdicts)] = lazy_import("nodes.comfy_types").image_from_uint8(heat_map)
        self.verdicts.append(verdict)
        self.repair_notes.append(note)
        self.step()
        if self.policy == STRICT and not verdict["passed"]:
            raise lazy_import("gate.messages").refusal(verdict, self.min_score)
        return repaired

    def verdict_on(self, picture: np.ndarray, data: bytes | None, face, alpha) -> tuple[dict, np.ndarray]:
        """(verdict, region map of the JPEG traces)."""
        check = lazy_import("gate.check")
        try:
            container = check.evidence_of_container(data) if data else None
            return check.judged(picture, container, min_score=self.min_score, face_box=face, alpha=alpha)
        except InputError as error:  # too small to be judged: SONIC_PreData reports what it needs
            return check.unreadable("", str(error)), np.zeros((0, 0), np.uint8)

    def repair(
        self, picture: np.ndarray, data: bytes | None, face, verdict: dict, alpha: np.ndarray | None
    ) -> tuple[np.ndarray | None, dict, str]:
        """(repaired picture or None, verdict on the result, note). Repairs the coefficients of a JPEG file, or the
        pixels of anything else."""
        from_file = data is not None and data.startswith(lazy_import("gate.check").JPEG_START)
        repaired, done = lazy_import("gate.repair").repair_picture(
            data if from_file else picture, verdict, min_score=self.min_score, face_box=face, alpha=alpha
        )
        if not done.repaired:
            return None, verdict, done.reason
        return repaired, done.verdict, done.reason

    def worst(self) -> int:
        return min(range(len(self.verdicts)), key=lambda i: self.verdicts[i]["score"])

    def report_lines(self) -> list[str]:
        """The report on the worst picture."""
        worst, count = self.worst(), len(self.verdicts)
        which = [f"{count} images; the worst is number {worst + 1}:"] if count > 1 else []
        note = self.repair_notes[worst]
        return which + lazy_import("gate.messages").lines(self.verdicts[worst]) + ([note] if note else [])

    def outputs(self):
        """(score, passed, report, heat_map)."""
        passed = all(verdict["passed"] for verdict in self.verdicts)
        return (
            self.verdicts[self.worst()]["score"],
            passed,
            in_page_language("\n".join(self.report_lines())),
            self.heat_maps,
        )

    def ui_entry(self, cls, files: list[dict], notes: Sequence[str] = (), pixels: torch.Tensor | None = None) -> dict:
        """The `ui` entry: the picture's file if there is one, the report and notes, and the heat map of the worst
        picture unless it was fine. pixels: the pictures as an IMAGE, where they have no files."""
        worst, lines = self.worst(), [*([OFF_NOTE] if self.policy == OFF else self.report_lines()), *notes]
        entry = notes_ui(lines) | ({"images": files} if files else {}) | self.badge_ui()
        if self.policy == OFF or self.was_ok[worst]:
            return entry
        heat = ui.PreviewImage(self.heat_maps[worst : worst + 1], cls=cls).as_dict()["images"]
        shown = files or ui.PreviewImage(pixels[worst : worst + 1, ..., :3], cls=cls).as_dict()["images"]
        height, width = self.heat_maps.shape[1:3]
        return entry | {"sonic_heat_map": ({"picture": shown[0], "map": heat[0], "width": width, "height": height},)}

    def badge_ui(self) -> dict:
        """The `ui` entry that web/results.js draws as a badge; none with the policy off."""
        verdict = self.verdicts[self.worst()]
        fields = {"verdict": verdict["verdict"], "score": round(verdict["score"]), "passed": verdict["passed"]}
        return {} if self.policy == OFF else {"sonic_verdict": (fields,)}


def policy_problem(policy) -> bool | str:
    """True, or the remedy. A linked value is None until the run."""
    problem = unless_linked(choice_problem, "policy", POLICIES, policy)
    return in_page_language(problem) if problem else True
