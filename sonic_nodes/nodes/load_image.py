"""Load Image: reads the portrait from its file and judges it there, because the file says more than its pixels
(gate.py)."""

import hashlib
import os

import folder_paths
from comfy_api.latest import io

from .common import CATEGORY, part, plain_errors
from .gate import MIN_SCORE, WARN, Gate, gate_outputs, min_score_input, policy_input, policy_problem

MASK_EDITOR_FOLDER = "clipspace"  # where the page's mask editor stores pictures, what was painted made transparent


class SonicLoadImage(io.ComfyNode):
    NODE_ID = "SonicLoadImage"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Load Image (Sonic)",
            category=CATEGORY,
            description="Loads the portrait from ComfyUI's input folder: turned as the camera recorded it, any colour mode, any bit "
            "depth. The quality gate says what compression, blur or enlarging did to the picture, also where its file looks "
            "innocent.",
            inputs=[
                io.Combo.Input(
                    "image",
                    options=input_pictures(),
                    upload=io.UploadType.image,
                    image_folder=io.FolderType.input,
                    tooltip="The portrait. One face, seen from the front, mouth visible: a profile or a covered mouth cannot be made to "
                    "speak. Smaller than 512 pixels turns soft.",
                ),
                policy_input(),
                min_score_input(optional=True),
            ],
            outputs=[
                io.Image.Output(
                    "picture",
                    display_name="image",
                    tooltip="The picture in its own size; with policy repair, without the traces of compression.",
                ),
                io.Mask.Output(
                    "alpha",
                    display_name="mask",
                    tooltip="1 where the picture is transparent or painted in the mask editor, else 0.",
                ),
                *gate_outputs(),
            ],
        )

    @classmethod
    def validate_inputs(cls, image, policy=WARN):
        if not folder_paths.exists_annotated_filepath(image):
            return f"Choose another picture or upload it again: '{image}' is not in ComfyUI's input folder."
        return policy_problem(policy)

    @classmethod
    def fingerprint_inputs(cls, image, policy=WARN, min_score=MIN_SCORE):
        with open(folder_paths.get_annotated_filepath(image), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    @classmethod
    @plain_errors
    def execute(cls, image, policy=WARN, min_score=MIN_SCORE):
        exchange, check, file = part("nodes.comfy_types"), part("gate.check"), file_on_page(image)
        painted = file["subfolder"].startswith(MASK_EDITOR_FOLDER)
        data = check.read_bytes(folder_paths.get_annotated_filepath(image))
        picture, alpha = part("media.image").read_picture_and_alpha(
            data, on_white=not painted, name=repr(file["filename"])
        )
        gate = Gate(policy, min_score, (1, *picture.shape))
        mended = gate.see(picture, data)
        shown = exchange.image_from_pictures((picture if mended is None else mended)[None])
        mask = exchange.mask_from_alpha(alpha, *picture.shape[:2])
        return io.NodeOutput(shown, mask, *gate.outputs(), ui=gate.shown(cls, [file]))


def input_pictures() -> list[str]:
    folder = folder_paths.get_input_directory()
    files = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    return sorted(folder_paths.filter_files_content_types(files, ["image"]))


def file_on_page(annotated: str) -> dict:
    """How the page asks for the file of "folder/name.png [input]": the node keeps showing its picture while words stand
    under it."""
    name, _ = folder_paths.annotated_filepath(annotated)
    kind = next((kind for kind in ("output", "temp") if annotated.endswith(f"[{kind}]")), "input")
    return {"filename": os.path.basename(name), "subfolder": os.path.dirname(name), "type": kind}
