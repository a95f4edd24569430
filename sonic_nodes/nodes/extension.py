"""The list of nodes that ComfyUI registers, and what has to be in place before its page opens."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

import folder_paths
import nodes as comfy_nodes
from comfy_api.latest import ComfyExtension

from ..extension.loading import PACK
from .calibrate import SonicLipSyncCalibrate
from .common import install_problem
from .compat import SonicTLoader, SonicTSampler
from .decoder import SonicLatentDecoder
from .gate import SonicImageGate
from .inference import SonicInference
from .load_image import SonicLoadImage
from .loader import SonicLoader
from .model_files import register_folder
from .paste_back import SonicPasteBack
from .pre_data import SonicPreData
from .smooth import SonicMotionSmooth

log = logging.getLogger(__name__)

NODES = [
    SonicLoadImage,
    SonicImageGate,
    SonicPreData,
    SonicLoader,
    SonicInference,
    SonicLatentDecoder,
    SonicPasteBack,
    SonicLipSyncCalibrate,
    SonicMotionSmooth,
    SonicTLoader,
    SonicTSampler,
]

SAMPLES = {"portrait.jpg": "sonic_sample_portrait.jpg", "speech.wav": "sonic_sample_speech.wav"}

# Present on every node class of this pack, so that a second copy can tell a copy of itself from another author's pack.
COPY_MARK = "SONIC_PACK_FOLDER"


class SonicExtension(ComfyExtension):
    async def get_node_list(self) -> list:
        other = loaded_copy()
        if other:
            log.warning(
                "Remove one of two copies of the Sonic nodes: those of %s are in use, those of %s are not.", other, PACK
            )
            return []
        warn_of_foreign_nodes()
        register_folder()
        copy_samples(Path(folder_paths.get_input_directory()))
        problem = install_problem()
        if problem:
            log.warning("Sonic nodes: %s", problem)
        for node in NODES:
            setattr(node, COPY_MARK, str(PACK))
        return list(NODES)


def loaded_copy() -> str | None:
    """The folder of a copy of this pack whose nodes are registered already."""
    for node in NODES:
        registered = comfy_nodes.NODE_CLASS_MAPPINGS.get(node.NODE_ID)
        folder = getattr(registered, COPY_MARK, None)
        if folder:
            return folder
    return None


def warn_of_foreign_nodes() -> None:
    """Two packs may use one node id: the one that loads last wins, and old files of the other then meet the wrong
    node."""
    taken = [node.NODE_ID for node in NODES if node.NODE_ID in comfy_nodes.NODE_CLASS_MAPPINGS]
    if taken:
        log.warning(
            "Keep one of the two packs that define %s: add .disabled to the other's folder name and restart. "
            "Until then the nodes of %s are used.",
            ", ".join(taken),
            PACK,
        )


def copy_samples(folder: Path) -> None:
    """Puts the sample portrait and speech into ComfyUI's input folder, where the templates look for them. Overwrites
    nothing."""
    for source, name in SAMPLES.items():
        try:
            copy_if_absent(PACK / "sonic_nodes" / "assets" / "sample" / source, folder / name)
        except OSError as error:
            log.warning(
                "Choose a picture and a recording of your own in the templates: %s could not be put into %s (%s).",
                name,
                folder,
                error,
            )


def copy_if_absent(source: Path, target: Path) -> None:
    if target.exists():
        return
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".sonic_sample_")
    try:
        with os.fdopen(handle, "wb") as out, open(source, "rb") as sample:
            shutil.copyfileobj(sample, out)
        os.chmod(partial, 0o644)
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
