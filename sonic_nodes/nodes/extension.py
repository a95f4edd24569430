"""The list of nodes that ComfyUI registers, and the folders and sample files that they need."""

import logging
import shutil
from pathlib import Path

import folder_paths
import nodes as comfy_nodes
from comfy_api.latest import ComfyExtension

from ..extension.loading import PACK
from ..media.temporary import TemporaryFolder
from .background import SonicBackground
from .calibrate import SonicLipSyncCalibrate
from .common import install_problem
from .compat import SonicTLoader, SonicTSampler
from .create_video import SonicCreateVideo
from .decoder import SonicLatentDecoder
from .gate import SonicImageGate
from .inference import SonicInference
from .inspect import SonicInspect
from .language import register_language
from .load_image import SonicLoadImage
from .loader import SonicLoader
from .model_files import register_folder
from .model_list import register_route
from .paste_back import SonicPasteBack
from .pre_data import SonicPreData
from .recordings import SAMPLE_FOLDER, SonicBatch
from .smooth import SonicMotionSmooth
from .visible_label import SonicVisibleLabel

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
    SonicBackground,
    SonicCreateVideo,
    SonicInspect,
    SonicVisibleLabel,
    SonicBatch,
    SonicTLoader,
    SonicTSampler,
]

SAMPLES = {
    name: f"sonic_sample_{name}"
    for name in (
        "portrait.jpg",
        "speech.wav",
        "two_speakers.jpg",
        "speaker_1.wav",
        "speaker_2.wav",
        "portrait_large.jpg",
        "poor.jpg",
        "speech_es.wav",
        "speech_zh.wav",
        "clip.mp4",
    )
}

# In the folder SAMPLE_FOLDER, for the template `batch`
SAMPLE_RECORDINGS = {"speech.wav": "english.wav", "speech_es.wav": "spanish.wav", "speech_zh.wav": "chinese.wav"}

# Set on every node class, so that a second copy of this pack can tell the first copy from another author's pack.
COPY_MARK = "SONIC_PACK_FOLDER"


class SonicExtension(ComfyExtension):
    async def get_node_list(self) -> list:
        other = loaded_copy()
        if other:
            log.warning("Remove one of two copies of the Sonic nodes: %s is in use, %s is ignored.", other, PACK)
            return []
        warn_of_foreign_nodes()
        register_folder()
        register_route()
        register_language()
        copy_samples(Path(folder_paths.get_input_directory()))
        problem = install_problem()
        if problem:
            log.warning("Sonic nodes: %s", problem)
        for node in NODES:
            setattr(node, COPY_MARK, str(PACK))
        return list(NODES)


def loaded_copy() -> str | None:
    """The folder of a copy of this pack that has registered its nodes, or None."""
    for node in NODES:
        registered = comfy_nodes.NODE_CLASS_MAPPINGS.get(node.NODE_ID)
        folder = getattr(registered, COPY_MARK, None)
        if folder:
            return folder
    return None


def warn_of_foreign_nodes() -> None:
    """Two packs may define the same node id. The one that loads last wins, and the other's workflows then get the wrong
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
    """Copies the sample portrait and speech into ComfyUI's input folder, where the templates expect them. Existing
    files are not overwritten."""
    recordings = [(source, f"{SAMPLE_FOLDER}/{name}") for source, name in SAMPLE_RECORDINGS.items()]
    for source, name in [*SAMPLES.items(), *recordings]:
        try:
            if "/" in name:
                (folder / name).parent.mkdir(exist_ok=True)
            copy_if_absent(PACK / "sonic_nodes" / "assets" / "sample" / source, folder / name)
        except OSError as error:
            log.warning(
                "Choose your own picture and recording in the templates: %s could not be copied to %s (%s).",
                name,
                folder,
                error,
            )


def copy_if_absent(source: Path, target: Path) -> None:
    if target.exists():
        return
    temporary = TemporaryFolder(target.parent)
    try:
        shutil.copyfile(source, temporary.output)
        temporary.publish(target)
    finally:
        temporary.remove()
