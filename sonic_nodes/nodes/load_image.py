"""Load Image (Sonic): reads the portrait from its file and checks its quality there, because the file holds more
evidence than its pixels (gate.py)."""

import hashlib
import os

import folder_paths
from comfy_api.latest import io

from ..errors import InputError, SonicError
from .common import CATEGORY, Progress, lazy_import, plain_errors
from .gate import MIN_SCORE, WARN, Gate, gate_outputs, min_score_input, policy_input
from .language import in_page_language
from .link_values import listing_files
from .model_files import LINKED

BLOCK_BYTES = 1 << 20
SHOWN = 200  # characters of a name in a message
MASK_EDITOR_FOLDER = "clipspace"  # the mask editor stores pictures here, painted areas as transparency


class SonicLoadImage(io.ComfyNode):
    NODE_ID, TITLE = "SonicLoadImage", "Load Image (Sonic)"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
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
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, image):
        try:
            if image is not None:  # a link, whose value execute checks
                path_of(image)
        except SonicError as error:
            return in_page_language(str(error))
        return True

    @classmethod
    def fingerprint_inputs(cls, image, policy=WARN, min_score=MIN_SCORE):
        if image is None:
            return LINKED
        try:
            return digest_of(path_of(image))
        except SonicError as error:
            return str(error)

    @classmethod
    @plain_errors
    def execute(cls, image, policy=WARN, min_score=MIN_SCORE):
        path = path_of(image)
        types, check, entry = lazy_import("nodes.comfy_types"), lazy_import("gate.check"), preview_entry(image)
        is_painted = entry["subfolder"].startswith(MASK_EDITOR_FOLDER)
        data = check.read_bytes(path)
        loaded = lazy_import("media.image").load_picture(data, not is_painted, repr(entry["filename"]))
        picture, alpha = loaded.pixels, loaded.alpha
        gate = Gate(policy, min_score, (1, *picture.shape), Progress(cls.hidden.unique_id, cls.TITLE))
        repaired = gate.check(picture, data, None if is_painted else alpha)
        result = types.image_from_uint8((picture if repaired is None else repaired)[None])
        mask = types.mask_from_alpha(alpha, *picture.shape[:2])
        return io.NodeOutput(result, mask, *gate.outputs(), ui=gate.ui_entry(cls, [entry], loaded.notes))


def path_of(image: object) -> str:
    """The path of "folder/name.png [input]". InputError, before anything is read, unless it is a file on disk in that
    folder of ComfyUI's: workflows come from strangers, and such a name could be any file of the user's."""
    names = lazy_import("media.file_names")
    problem = names.problem_of(image)
    if problem is None:
        name, folder = folder_paths.annotated_filepath(image)
        path = folder_paths.get_annotated_filepath(image)
        problem = names.problem_of(name)
    if problem is None and not os.path.exists(path):
        problem = "is not in ComfyUI's input folder"
    if problem is None and not names.is_inside(path, folder or folder_paths.get_input_directory()):
        problem = "is a link that leads out of ComfyUI's input folder"
    if problem is None and not os.path.isfile(path):
        problem = "is a folder, device or pipe"
    if problem:
        raise InputError(f"Choose another picture or upload it again: {repr(image)[:SHOWN]} {problem}.")
    return path


def digest_of(path: str) -> str:
    """Changes when the file is rewritten with other content."""
    limit = lazy_import("media.image").MAX_FILE_BYTES
    with lazy_import("media.files").regular_file(path, repr(os.path.basename(path))) as file:
        status = os.fstat(file.fileno())
        if status.st_size > limit:  # execute refuses it
            return f"{status.st_size} {status.st_mtime_ns}"
        state = hashlib.sha256()
        while block := file.read(BLOCK_BYTES):
            state.update(block)
        return state.hexdigest()


def input_pictures() -> list[str]:
    folder = folder_paths.get_input_directory()
    files = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    return sorted(folder_paths.filter_files_content_types(files, ["image"]))


def preview_entry(annotated: str) -> dict:
    """The `ui` entry of the file "folder/name.png [input]", so that the node shows its picture beside the notes."""
    name, _ = folder_paths.annotated_filepath(annotated)
    kind = next((kind for kind in ("output", "temp") if annotated.endswith(f"[{kind}]")), "input")
    return {"filename": os.path.basename(name), "subfolder": os.path.dirname(name), "type": kind}
