"""What is asked of a ComfyUI server under Wine: each case takes the server, and returns what it found as a sentence or
raises Failed."""

import copy
import json
import shutil
import time
import wave
from pathlib import Path

import av
from PIL import Image

from tools.comfyui_client import Failed, errors_of

from .comfyui_server import PACK, ROOT, Server
from .machine import windows_path

SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
PORTRAIT, SPEECH = SAMPLE / "portrait.jpg", SAMPLE / "speech.wav"
DRAFT = ROOT / "docs" / "api" / "draft.json"
NODES = ROOT / "locales" / "zh" / "nodeDefs.json"  # every node has a title there
LOAD, SOUND, PRE, SAVE = "1", "2", "3", "8"  # nodes of the draft workflow
SHORT = {PRE: {"duration": 1.0, "on_mismatch": "use shorter", "min_resolution": 256}}
FPS = 25
CANCEL_SECONDS = 15  # a tenth of a second on an idle machine; this one is emulated and shared
# Opens a file as a media player does: it cannot be replaced or deleted.
HOLDER = "import sys, time; file = open(sys.argv[1], 'rb'); print('open', flush=True); time.sleep(3600)"


def graph(*changes: dict[str, dict]) -> dict:
    """The draft workflow in API format, with inputs of nodes changed."""
    made = json.loads(DRAFT.read_text("utf-8"))
    for change in changes:
        for node, inputs in change.items():
            made[node]["inputs"].update(copy.deepcopy(inputs))
    return made


def expect(condition: bool, text: str) -> None:
    if not condition:
        raise Failed(text)


def speech_seconds() -> float:
    with wave.open(str(SPEECH)) as file:
        return file.getnframes() / file.getframerate()


def video_of(server: Server, history: dict) -> Path:
    """The file that a prompt which succeeded wrote."""
    if history["status"]["status_str"] != "success":
        raise Failed(f"No video: {json.dumps(errors_of(history), ensure_ascii=False)}")
    (saved,) = history["outputs"][SAVE]["images"]
    return server.base / "output" / saved["subfolder"].replace("\\", "/") / saved["filename"]


def check_video(path: Path, frames: int) -> str:
    """What is in a video; Failed if it is not H.264 with so many frames, AAC and the workflow that made it."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        found = sum(1 for _ in container.decode(video))
        codecs, rate = (video.codec_context.name, audio.codec_context.name), float(video.average_rate)
        prompt = json.loads(container.metadata.get("prompt", "{}"))
        seconds = float(audio.duration * audio.time_base)
        size = f"{video.width} x {video.height}"
    expect(found == frames, f"{path} has {found} frames instead of {frames}")
    expect(codecs == ("h264", "aac") and rate == FPS, f"{path} has {codecs} at {rate} frames a second")
    expect(abs(seconds - frames / FPS) < 0.1, f"{path} has {seconds:.2f} s of sound for {frames} frames")
    expect(any(node["class_type"] == "SonicInference" for node in prompt.values()), f"{path} has no workflow in it")
    return f"{path.name}: {found} frames of {size}, {seconds:.2f} s of {codecs[1]}, its workflow inside"


def is_whole(path: Path) -> bool:
    if path.suffix != ".mp4":
        return False
    try:
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            return sum(1 for _ in container.decode(video)) == video.frames > 0
    except (av.FFmpegError, LookupError):
        return False


def made(server: Server, workflow: dict, frames: int) -> tuple[Path, str]:
    path = video_of(server, server.wait(server.queue(workflow)))
    return path, check_video(path, frames)


def nodes(server: Server) -> str:
    """The pack was imported without a traceback, and all its nodes, its template and a help page are served."""
    found = server.request("/object_info")
    own = {name for name, node in found.items() if node["python_module"] == f"custom_nodes.{PACK}"}
    wanted = set(json.loads(NODES.read_text("utf-8")))
    expect(own == wanted, f"custom_nodes.{PACK} has {sorted(own)} instead of {sorted(wanted)}")
    log = "".join(server.lines)
    expect("Traceback" not in log and "IMPORT FAILED" not in log, f"the server's log has an error:\n{log}")
    templates = server.request("/workflow_templates").get(PACK, [])
    expect("draft" in templates, f"the templates of the pack are {templates}")
    version = server.request("/system_stats")["system"]
    return f"{len(own)} nodes and {len(templates)} templates on {version['os']}, ComfyUI {version['comfyui_version']}"


def draft(server: Server) -> str:
    """The draft template as it is: the sample that it names is put into ComfyUI's input folder by the pack."""
    return made(server, graph(), round(FPS * speech_seconds()))[1]


def names(server: Server) -> str:
    """Chinese characters, spaces, quotes and an emoji in the names of what is read and what is written."""
    folder = server.base / "input"
    picture, recording = "自拍 照片 (1) it's.png", "说话 ñ 🎤.wav"
    with Image.open(PORTRAIT) as portrait:
        portrait.save(folder / picture)
    shutil.copyfile(SPEECH, folder / recording)
    inputs = {LOAD: {"image": picture}, SOUND: {"audio": recording}, SAVE: {"filename_prefix": "视频 一/结果 it's"}}
    path, found = made(server, graph(SHORT, inputs), FPS)
    expect(path.parent.name == "视频 一" and path.name.startswith("结果 it's"), f"the video is {path}")
    return found


def held(server: Server) -> str:
    """A second run while a player has the first one's video open: that one stays as it is."""
    first, _ = made(server, graph(SHORT, {"5": {"seed": 1}}), FPS)
    content = first.read_bytes()
    player = server.windows.start(["-c", HOLDER, windows_path(first)], variables={"LC_ALL": "C.UTF-8"})
    try:
        said = player.stdout.readline().strip()
        expect(said == "open", f"the first video could not be opened: {said}")
        second, found = made(server, graph(SHORT, {"5": {"seed": 2}}), FPS)
    finally:
        player.kill()
        player.wait()
    expect(second != first and first.read_bytes() == content, f"{first} was written again")
    return found


def cancel(server: Server) -> str:
    """The interruption of a run takes effect in the middle of a node, and the server works afterwards."""
    with wave.open(str(SPEECH)) as file:
        parameters, samples = file.getparams(), file.readframes(file.getnframes())
    with wave.open(str(server.base / "input" / "long.wav"), "wb") as file:
        file.setparams(parameters)
        file.writeframes(samples * 6)
    prompt = server.queue(graph({SOUND: {"audio": "long.wav"}, PRE: {"min_resolution": 1024}}))
    time.sleep(20)
    begun = time.monotonic()
    server.request("/interrupt", {})
    history = server.wait(prompt)
    seconds = time.monotonic() - begun
    (stopped,) = errors_of(history) or [{}]
    expect("exception_type" not in stopped and "node_type" in stopped, f"the run ended with {stopped or 'success'}")
    expect(seconds < CANCEL_SECONDS, f"{stopped['node_type']} went on for {seconds:.1f} s")
    left = [path for path in (server.base / "temp").rglob("*") if path.suffix in (".mp4", ".part", ".tmp")]
    halves = [path.name for path in left if not is_whole(path)]  # the decoder's previews of earlier runs are whole
    expect(not halves, f"the temp folder has {halves}")
    made(server, graph(SHORT, {"5": {"seed": 3}}), FPS)
    return f"{stopped['node_type']} stopped within {seconds:.1f} s, and the next run succeeded"


def mistakes(server: Server) -> str:
    """Inputs that cannot work end in a sentence that begins with the remedy, and no video is written."""
    (server.base / "input" / "坏 图.jpg").write_bytes(PORTRAIT.read_bytes()[:700])
    wanted = {
        "坏 图.jpg": "Save the picture again",
        "没有.jpg": "Choose another picture or upload it again",
        "../../x.jpg": "Choose another picture or upload it again",
    }
    before = sorted((server.base / "output").rglob("*.mp4"))
    said = []
    for picture, remedy in wanted.items():
        answer = server.request("/prompt", {"prompt": graph({LOAD: {"image": picture}})})
        if "prompt_id" in answer:
            texts = [error["exception_message"] for error in errors_of(server.wait(answer["prompt_id"]))]
        else:
            errors = answer.get("node_errors", {}).values()
            texts = [error["details"] for node in errors for error in node["errors"]]
        expect(bool(texts) and remedy in texts[0], f"{picture}: {texts or answer}")
        said.append(texts[0].strip())
    expect(sorted((server.base / "output").rglob("*.mp4")) == before, "a video was written")
    return " | ".join(said)


CASES = {case.__name__: case for case in (nodes, draft, names, held, cancel, mistakes)}
