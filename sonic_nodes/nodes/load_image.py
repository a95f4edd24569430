"""Load Image (Sonic): reads the portrait from its file and checks its quality there, because the file holds more
evidence than its pixels (gate.py)."""

import hashlib
import os

import folder_paths
from comfy_api.latest import io

from .common import CATEGORY, lazy_import, plain_errors
from .gate import MIN_SCORE, WARN, Gate, gate_outputs, min_score_input, policy_input, policy_problem
from .link_values import file_name_problem, listing_files, unless_linked
from .model_files import LINKED

MASK_EDITOR_FOLDER = "clipspace"  # the mask editor stores pictures here, painted areas as transparency


class SonicLoadImage(io.ComfyNode):
    NODE_ID = "SonicLoadImage"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Load Image (Sonic)",
            category=CATEGORY,
            description="Loads the portrait from ComfyUI's input folder, with EXIF orientation applied and any colour "
            "mode or bit depth. The quality gate reports compression, blur and upscaling, also when the file was saved "
            "again since.",
            inputs=[
                listing_files(
                    io.Combo.Input(
                        "image",
                        options=input_pictures(),
                        upload=io.UploadType.image,
                        image_folder=io.FolderType.input,
                        tooltip="The portrait: one face from the front, mouth visible. A profile or a covered mouth "
                        "cannot be animated; below 512 pixels the video is soft.",
                    )
                ),
                policy_input(),
                min_score_input(optional=True),
            ],
            outputs=[
                io.Image.Output(
                    "picture",
                    display_name="image",
                    tooltip="The picture in its own size; with policy repair, JPEG artefacts are removed.",
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
        problem = unless_linked(file_name_problem, "image", image)
        if problem:
            return problem
        if image is not None and not folder_paths.exists_annotated_filepath(image):
            return f"Choose another picture or upload it again: '{image}' is not in ComfyUI's input folder."
        return policy_problem(policy)

    @classmethod
    def fingerprint_inputs(cls, image, policy=WARN, min_score=MIN_SCORE):
        if image is None:
            return LINKED
        with open(folder_paths.get_annotated_filepath(image), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    @classmethod
    @plain_errors
    def execute(cls, image, policy=WARN, min_score=MIN_SCORE):
        types, check, entry = lazy_import("nodes.comfy_types"), lazy_import("gate.check"), preview_entry(image)
        is_painted = entry["subfolder"].startswith(MASK_EDITOR_FOLDER)
        data = check.read_bytes(folder_paths.get_annotated_filepath(image))
        loaded = lazy_import("media.image").load_picture(data, not is_painted, repr(entry["filename"]))
        picture, alpha = loaded.pixels, loaded.alpha
        gate = Gate(policy, min_score, (1, *picture.shape))
        repaired = gate.check(picture, data, None if is_painted else alpha)
        result = types.image_from_uint8((picture if repaired is None else repaired)[None])
        mask = types.mask_from_alpha(alpha, *picture.shape[:2])
        return io.NodeOutput(result, mask, *gate.outputs(), ui=gate.ui_entry(cls, [entry], loaded.notes))


def input_pictures() -> list[str]:
    folder = folder_paths.get_input_directory()
    files = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    return sorted(folder_paths.filter_files_content_types(files, ["image"]))


def preview_entry(annotated: str) -> dict:
    """The `ui` entry of the file "folder/name.png [input]", so that the node shows its picture beside the notes."""
    name, _ = folder_paths.annotated_filepath(annotated)
    kind = next((kind for kind in ("output", "temp") if annotated.endswith(f"[{kind}]")), "input")
    return {"filename": os.path.basename(name), "subfolder": os.path.dirname(name), "type": kind}
