"""Load Image: reads the portrait from its file. The quality gate is not built yet, so its policy is `off`, and the node says so."""
import hashlib
import os

import folder_paths
from comfy_api.latest import io

from ..errors import UsageError
from .parts import CATEGORY, part, plain_errors, words

POLICIES = ["off"]
MASK_EDITOR_FOLDER = "clipspace"  # where the page's mask editor stores pictures, what was painted made transparent
NO_GATE = "Quality gate off: this version does not judge the picture."


class SonicLoadImage(io.ComfyNode):
    NODE_ID = "SonicLoadImage"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Load Image (Sonic)",
            category=CATEGORY,
            description="Loads the portrait from ComfyUI's input folder: turned as the camera recorded it, any colour mode, any bit "
                        "depth. The quality gate is not part of this version, so the picture is not judged.",
            inputs=[
                io.Combo.Input(
                    "image", options=input_pictures(), upload=io.UploadType.image, image_folder=io.FolderType.input,
                    tooltip="The portrait. One face, seen from the front, mouth visible: a profile or a covered mouth cannot be made to "
                            "speak. Smaller than 512 pixels turns soft."),
                io.Combo.Input(
                    "policy", options=POLICIES, default="off",
                    tooltip="What to do about a poor picture. This version has no quality gate: only 'off' exists, and a blurred or "
                            "over-compressed portrait gives a blurred video without a warning."),
            ],
            outputs=[
                io.Image.Output("picture", display_name="image", tooltip="The picture in its own size."),
                io.Mask.Output("alpha", display_name="mask",
                               tooltip="1 where the picture is transparent or painted in the mask editor, else 0."),
            ],
        )

    @classmethod
    def validate_inputs(cls, image):
        if not folder_paths.exists_annotated_filepath(image):
            return f"Choose another picture or upload it again: '{image}' is not in ComfyUI's input folder."
        return True

    @classmethod
    def fingerprint_inputs(cls, image, policy="off"):
        with open(folder_paths.get_annotated_filepath(image), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    @classmethod
    @plain_errors
    def execute(cls, image, policy="off"):
        if policy not in POLICIES:
            raise UsageError(f"Set policy to off: this version has no quality gate, so '{policy}' cannot be kept.")
        exchange = part("exchange")
        file = file_on_page(image)
        painted = file["subfolder"].startswith(MASK_EDITOR_FOLDER)
        picture, alpha = part("media.image").read_picture_and_alpha(folder_paths.get_annotated_filepath(image), on_white=not painted)
        shown = {"images": [file]} | words([NO_GATE])
        return io.NodeOutput(exchange.image_from_pictures(picture[None]), exchange.mask_from_alpha(alpha, *picture.shape[:2]), ui=shown)


def input_pictures() -> list[str]:
    folder = folder_paths.get_input_directory()
    files = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    return sorted(folder_paths.filter_files_content_types(files, ["image"]))


def file_on_page(annotated: str) -> dict:
    """How the page asks for the file of "folder/name.png [input]": the node keeps showing its picture while words stand under it."""
    name, _ = folder_paths.annotated_filepath(annotated)
    kind = next((kind for kind in ("output", "temp") if annotated.endswith(f"[{kind}]")), "input")
    return {"filename": os.path.basename(name), "subfolder": os.path.dirname(name), "type": kind}
