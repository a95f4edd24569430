"""The quality gate as nodes show it: what a policy does, the outputs about a picture, and Image Quality Gate for other
nodes' pictures."""

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..errors import InputError, ResourceError, UsageError
from .common import CATEGORY, Progress, free_memory_bytes, part, plain_errors, words

OFF, WARN, REPAIR, STRICT = POLICIES = ["off", "warn", "repair", "strict"]
MIN_SCORE = 60.0
OFF_WORDS = "Quality gate off."


def policy_input(**options):
    return io.Combo.Input(
        "policy",
        options=POLICIES,
        default=WARN,
        **options,
        tooltip="What to do about a poor picture, which gives a poor video: 'warn' says it under the node, 'repair' also undoes what "
        "JPEG compression did, 'strict' stops the run with the reasons, 'off' says nothing.",
    )


def min_score_input(**options):
    return io.Float.Input(
        "min_score",
        default=MIN_SCORE,
        min=0.0,
        max=100.0,
        step=1.0,
        **options,
        tooltip="The least score that passes; 60 is where warnings begin, 30 where pictures are rejected. Too high, and 'strict' stops at "
        "good pictures. A rejected picture never passes.",
    )


def gate_outputs():
    return [
        io.Float.Output(
            "score", display_name="score", tooltip="0 to 100, higher is better; of several pictures the worst."
        ),
        io.Boolean.Output(
            "passed", display_name="passed", tooltip="Whether every picture has min_score and none is rejected."
        ),
        io.String.Output(
            "report", display_name="report", tooltip="The verdict in words, with what to do about each reason."
        ),
        io.Image.Output(
            "heat_map",
            display_name="heat_map",
            tooltip="Where traces of JPEG blocks are: red to yellow over the dimmed picture.",
        ),
    ]


class SonicImageGate(io.ComfyNode):
    NODE_ID = "SonicImageGate"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Image Quality Gate",
            category=CATEGORY,
            description="Judges pictures that come from other nodes as Load Image (Sonic) judges files: compression, also after resizing "
            "or saving as PNG, blur of the face, enlarging, noise. Several pictures are judged one by one.",
            inputs=[
                io.Image.Input(
                    "pixels",
                    tooltip="Pictures of any node. Where a file is at hand, Load Image (Sonic) sees more in it.",
                ),
                policy_input(),
                min_score_input(),
            ],
            outputs=[
                io.Image.Output(
                    "pictures",
                    display_name="image",
                    tooltip="The pictures that came in; with policy repair, those that could be repaired are.",
                ),
                io.Mask.Output(
                    "alpha",
                    display_name="mask",
                    tooltip="1 where the pictures are transparent, if they say so, else 0.",
                ),
                *gate_outputs(),
            ],
        )

    @classmethod
    def validate_inputs(cls, policy):
        return policy_problem(policy)

    @classmethod
    @plain_errors
    def execute(cls, pixels, policy=WARN, min_score=MIN_SCORE):
        exchange = part("nodes.comfy_types")
        exchange.check_image(pixels)
        gate, out, progress = Gate(policy, min_score, pixels.shape), pixels, Progress()
        for i in range(len(pixels)):
            progress(i, len(pixels))
            picture = exchange.pictures_from_image(pixels[i : i + 1])[0]
            mended = gate.see(picture)
            if mended is not None:
                out = pixels.clone() if out is pixels else out
                exchange.put_levels(out[i], mended, mended != picture)
        progress(len(pixels), len(pixels))
        return io.NodeOutput(out, exchange.mask_from_image(pixels), *gate.outputs(), ui=gate.shown(cls, []))


class Gate:
    """Pictures seen one after the other, and what a policy does about them."""

    def __init__(self, policy: str, min_score: float, shape: tuple[int, ...]):
        """shape: [pictures, height, width, ...]"""
        problem = policy_problem(policy)
        if problem is not True:
            raise UsageError(problem)
        count, height, width = shape[:3]
        needed, free = count * height * width * 12, free_memory_bytes()
        if needed > free:
            raise ResourceError(
                f"Give fewer or smaller pictures, or close other programs: heat maps of {count} of {width}x{height} need "
                f"{needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB is free."
            )
        self.policy, self.min_score = policy, float(min_score)
        self.heat = torch.empty(count, height, width, 3)
        self.verdicts, self.said, self.fine = [], [], []  # fine: as the picture came

    def see(self, picture: np.ndarray, data: bytes | None = None) -> np.ndarray | None:
        """Judges u8 [H, W, 3], whose file's bytes are `data` if there is one. Returns the repaired picture, or None
        when it stays as it is; raises InputError where the run must stop."""
        face = part("gate.check").largest_face(picture)
        verdict, cells = self.judged(picture, data, face)
        self.fine.append(verdict["verdict"] == "ok")
        mended, said = None, ""
        if self.policy == REPAIR and verdict["evidence"]:
            mended, verdict, said = self.repaired(picture, data, face, verdict)
        self.heat[len(self.verdicts)] = part("nodes.comfy_types").image_from_pictures(
            part("gate.heat").drawn(picture, cells)
        )
        self.verdicts.append(verdict)
        self.said.append(said)
        if self.policy == STRICT and not verdict["passed"]:
            raise part("gate.messages").refusal(verdict, self.min_score)
        return mended

    def judged(self, picture: np.ndarray, data: bytes | None, face) -> tuple[dict, np.ndarray]:
        """(verdict, cells of the heat map)"""
        check = part("gate.check")
        try:
            container = check.evidence_of_container(data) if data else None
            return check.judged(picture, container, min_score=self.min_score, face_box=face)
        except InputError as error:  # too small to be judged: SONIC_PreData will say what it needs
            return check.unreadable("", str(error)), np.zeros((0, 0), np.uint8)

    def repaired(
        self, picture: np.ndarray, data: bytes | None, face, verdict: dict
    ) -> tuple[np.ndarray | None, dict, str]:
        """(picture or None, the verdict on what is handed on, what was done). A JPEG file's coefficients are repaired,
        else pixels."""
        from_file = data is not None and data.startswith(part("gate.check").JPEG_START)
        mended, done = part("gate.repair").repair_picture(
            data if from_file else picture, verdict, min_score=self.min_score, face_box=face
        )
        if not done.repaired:
            return None, verdict, done.reason
        said = f"{done.reason} Score {done.score_before:.0f} before, {done.score_after:.0f} after."
        return mended, done.verdict, said

    def worst(self) -> int:
        return min(range(len(self.verdicts)), key=lambda i: self.verdicts[i]["score"])

    def lines(self) -> list[str]:
        worst = self.worst()
        which = [f"{len(self.verdicts)} pictures; the worst is number {worst + 1}:"] if len(self.verdicts) > 1 else []
        return (
            which
            + part("gate.messages").lines(self.verdicts[worst])
            + [said for said in self.said[worst : worst + 1] if said]
        )

    def outputs(self):
        """score, passed, report, heat_map"""
        passed = all(verdict["passed"] for verdict in self.verdicts)
        return self.verdicts[self.worst()]["score"], passed, "\n".join(self.lines()), self.heat

    def shown(self, cls, files: list[dict]) -> dict:
        """What stands under the node: the files given, the words, and the heat map of the worst picture unless it was
        fine."""
        worst, said = self.worst(), [OFF_WORDS] if self.policy == OFF else self.lines()
        if self.policy == OFF or self.fine[worst]:
            return words(said) | ({"images": files} if files else {})
        preview = ui.PreviewImage(self.heat[worst : worst + 1], cls=cls).as_dict()
        return preview | {"images": [*files, *preview["images"]]} | words(said)


def policy_problem(policy) -> bool | str:
    """True, or what to do. A linked value is None until the run."""
    if policy is None or policy in POLICIES:
        return True
    return f"Set policy to one of {', '.join(POLICIES)}: '{policy}' is none of them."
