"""The Sonic model in a real ComfyUI server and its real page, with small networks of random weights.

Set SONIC_FULL_MODELS=DIR (made by tests/tools/make_models.py, fp16) beside COMFYUI_DIR for networks of full size, which
take minutes and 8 GB of memory.
"""

import copy
import json
import os

import numpy as np
import pytest
import torch

from tests.e2e.common import CANCEL_S, ROOT, SPEECH, models_with_upscaler, video_of, write_wav
from tests.e2e.test_comfyui import CALIBRATE, DECODE, INFER, PRE, SAVE, SMOOTH, SOUND
from tests.tools.make_models import make, network

LOADER, PROBE_PACK = "4", ROOT / "tests/e2e/probe_pack"
SHORT_S, STEPS, SIDE_PX = 0.6, 2, 128
FRAMES = round(25 * SHORT_S)
SHORT = {PRE: {"min_resolution": SIDE_PX}, INFER: {"inference_steps": STEPS}, SOUND: {"audio": "short.wav"}}


def graph(*changes, probes=None):
    """docs/api/fast.json, small and short, with changes {node: {input: value}} and additional nodes."""
    made = json.loads((ROOT / "docs/api/fast.json").read_text(encoding="utf-8"))
    for change in (SHORT, *changes):
        for node, values in change.items():
            made[node]["inputs"].update(values)
    return made | copy.deepcopy(probes or {})


def second_run(first_data):
    """A second run on the same data after ComfyUI unloaded the weights; its latent must be equal."""
    again = graph()[INFER]
    again["inputs"]["data"] = first_data
    return {
        "20": {"class_type": "ProbeEvict", "inputs": {"after": [INFER, 0], "data": [PRE, 0]}},
        "21": again,
        "22": {"class_type": "ProbeEqual", "inputs": {"one": [INFER, 0], "other": ["21", 0]}},
    }


def with_digest(label, unet):
    return graph(
        {LOADER: {"model": unet}},
        probes={"20": {"class_type": "ProbePrint", "inputs": {"latent": [INFER, 0], "label": label}}},
    )


def comfyui_sonic_workflow(**sampler):
    """A workflow of ComfyUI_Sonic."""
    made = graph({PRE: {"on_mismatch": "use shorter", "expand_ratio": 0.5}})
    made[LOADER] = {
        "class_type": "SONICTLoader",
        "inputs": {
            "model": ["20", 0],
            "sonic_unet": "unet.pth",
            "ip_audio_scale": 1.0,
            "use_interframe": True,
            "dtype": "fp32",
        },
    }
    made[PRE]["inputs"]["weight_dtype"] = [LOADER, 1]
    made[INFER] = {
        "class_type": "SONICSampler",
        "inputs": {
            "model": [LOADER, 0],
            "data_dict": [PRE, 0],
            "seed": 0,
            "inference_steps": STEPS,
            "dynamic_scale": 1.0,
            "fps": 25.0,
            **sampler,
        },
    }
    for node in (DECODE, CALIBRATE, SMOOTH):
        del made[node]
    parts = {"images": [INFER, 0], "fps": [INFER, 1], "audio": [PRE, 2]}
    made["7"] = {"class_type": "CreateVideo", "inputs": parts}
    made[SAVE]["inputs"]["video"] = ["7", 0]
    made["20"] = {"class_type": "ProbeModel", "inputs": {}}
    return made


GRAPHS = {
    "1_sonic": graph(),
    "2_evicted": graph(probes=second_run(["20", 0])),
    "3_turn_a": with_digest("turn a", "unet.pth"),
    "3_turn_b": with_digest("turn b", "other/unet_b.safetensors"),
    "3_turn_c": with_digest("turn a again", "unet.pth"),
    "4_change_1": with_digest("before", "changing.safetensors")
    | {
        "21": {
            "class_type": "ProbeReplace",
            "inputs": {"after": [INFER, 0], "name": "changing.safetensors", "source": "other/unet_b.safetensors"},
        }
    },
    "4_change_2": with_digest("after", "changing.safetensors"),
    "5_sonict": comfyui_sonic_workflow(),
    "5_sonict_fps": comfyui_sonic_workflow(fps=30.0),
    "6_every_second": graph({DECODE: {"interpolate": False}}),
    "fails_absent": graph({LOADER: {"model": "absent.pth"}}),
    "fails_not_a_unet": graph({LOADER: {"model": "audio2token.pth"}}),
    "cancel": graph({SOUND: {"audio": "long.wav"}, INFER: {"inference_steps": 100}}),
}


def make_page(folder, steps=STEPS):
    """The template `fast` with the values of a small run, edited as on the page."""
    page = json.loads((ROOT / "workflows/fast.json").read_text(encoding="utf-8"))
    by_type = {node["type"]: node for node in page["nodes"]}
    by_type["SONIC_PreData"]["widgets_values"][0] = SIDE_PX
    by_type["SonicInference"]["widgets_values"][2] = steps
    by_type["LoadAudio"]["widgets_values"][0] = "short.wav"
    (folder / "page_fast.json").write_text(json.dumps(page), encoding="utf-8")
    older = json.loads((ROOT / "workflows/draft.json").read_text(encoding="utf-8"))
    loader = next(node for node in older["nodes"] if node["type"] == "SonicLoader")
    loader["widgets_values"], loader["inputs"] = loader["widgets_values"][:1], loader["inputs"][:1]
    (folder / "page_older.json").write_text(json.dumps(older), encoding="utf-8")


# id, from node and slot, to node and slot, type
OLD_LINKS = [
    [1, 1, 0, 4, 0, "MODEL"],
    [2, 2, 0, 5, 2, "AUDIO"],
    [3, 3, 0, 5, 3, "IMAGE"],
    [4, 4, 0, 6, 0, "MODEL_SONIC"],
    [5, 4, 1, 5, 4, "DTYPE"],
    [6, 5, 0, 6, 1, "SONIC_PREDATA"],
    [7, 6, 0, 7, 0, "IMAGE"],
    [8, 2, 0, 7, 1, "AUDIO"],
    [9, 6, 1, 7, 2, "FLOAT"],
    [10, 7, 0, 8, 0, "VIDEO"],
]


def slots(**links):
    return [{"name": name, "type": kind, "link": link} for name, (kind, link) in links.items()]


def outs(*pairs):
    return [
        {"name": name, "type": kind, "links": links, "slot_index": i} for i, (name, kind, links) in enumerate(pairs)
    ]


def old_nodes():
    """(type, inputs, outputs, widget values) of each node."""
    return [
        ("ProbeModel", [], outs(("MODEL", "MODEL", [1])), []),
        ("LoadAudio", [], outs(("AUDIO", "AUDIO", [2, 8])), ["short.wav", None, ""]),
        (
            "LoadImage",
            [],
            outs(("IMAGE", "IMAGE", [3]), ("MASK", "MASK", None)),
            ["sonic_sample_portrait.jpg", "image"],
        ),
        (
            "SONICTLoader",
            slots(model=("MODEL", 1)),
            outs(("model", "MODEL_SONIC", [4]), ("weight_dtype", "DTYPE", [5])),
            ["unet.pth", 1, True, "fp32"],
        ),
        (
            "SONIC_PreData",
            slots(
                clip_vision=("CLIP_VISION", None),
                vae=("VAE", None),
                audio=("AUDIO", 2),
                image=("IMAGE", 3),
                weight_dtype=("DTYPE", 5),
            ),
            outs(("data_dict", "SONIC_PREDATA", [6])),
            [SIDE_PX, 10, 0.5],
        ),
        (
            "SONICSampler",
            slots(model=("MODEL_SONIC", 4), data_dict=("SONIC_PREDATA", 6)),
            outs(("image", "IMAGE", [7]), ("fps", "FLOAT", [9])),
            [7, "fixed", STEPS, 1, 25],
        ),
        (
            "CreateVideo",
            [*slots(images=("IMAGE", 7), audio=("AUDIO", 8)), slots(fps=("FLOAT", 9))[0] | {"widget": {"name": "fps"}}],
            outs(("VIDEO", "VIDEO", [10])),
            [25],
        ),
        ("SaveVideo", slots(video=("VIDEO", 10)), [], ["video/old", "auto", "auto"]),
    ]


def make_old_page(folder):
    """A page file of ComfyUI_Sonic from early 2025: slots without widgets, values by order, its pack's nodes."""
    stored = [
        {
            "id": i + 1,
            "type": kind,
            "pos": [i % 4 * 420, i // 4 * 520],
            "size": [380, 300],
            "flags": {},
            "order": i,
            "mode": 0,
            "inputs": ins,
            "outputs": made,
            "properties": {"Node name for S&R": kind},
            "widgets_values": values,
        }
        for i, (kind, ins, made, values) in enumerate(old_nodes())
    ]
    page = {
        "last_node_id": 8,
        "last_link_id": 10,
        "nodes": stored,
        "links": OLD_LINKS,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }
    (folder / "page_comfyui_sonic.json").write_text(json.dumps(page), encoding="utf-8")


def make_folders(folder, graphs):
    for name in ("inputs", "workflows"):
        (folder / name).mkdir()
    speech = np.frombuffer(SPEECH.read_bytes()[44:], "<i2")
    write_wav(folder / "inputs/short.wav", speech[8000 : 8000 + round(16000 * SHORT_S)])
    write_wav(folder / "inputs/long.wav", np.tile(speech, 6))
    for name, made in graphs.items():
        (folder / f"workflows/{name}.json").write_text(json.dumps(made), encoding="utf-8")
    make_page(folder / "workflows")
    make_old_page(folder / "workflows")
    return folder


def add_unets(models):
    """A second UNet in a folder of its own, one that will be replaced, and files that contain no UNet."""
    from safetensors.torch import save_file

    unet = network("unet", torch.float32, small=True)
    other = {name: value * 1.01 for name, value in unet.items()}
    (models / "sonic/other").mkdir()
    save_file(unet, models / "sonic/changing.safetensors")
    save_file(other, models / "sonic/other/unet_b.safetensors")
    (models / "sonic/README.pth").write_text("not a weight file")
    (models / "checkpoints/sd15.safetensors").write_bytes(b"\0" * 64)


@pytest.fixture(scope="module")
def result(harness, small_models, tmp_path_factory):
    models = models_with_upscaler(small_models, tmp_path_factory.mktemp("models") / "models")
    add_unets(models)
    folder = make_folders(tmp_path_factory.mktemp("sonic"), GRAPHS)
    return harness(
        folder, "sonic", "--models", str(models), "--extra-pack", str(PROBE_PACK), "--cancel-timeout", str(CANCEL_S)
    )


@pytest.fixture(scope="module")
def runs(result):
    return {run["name"]: run for run in result["workflows"]}


def test_the_harness_reports_no_problem(result):
    assert result["problems"] == []


@pytest.mark.parametrize("name", ["1_sonic", "page_fast"])
def test_the_small_model_makes_a_video(runs, name):
    made = video_of(runs[name])["video"]
    assert (made["frames"], made["fps"], made["width"], made["height"]) == (FRAMES, 25, SIDE_PX, SIDE_PX)


@pytest.mark.parametrize("name", ["1_sonic", "page_fast"])
def test_progress_and_previews_arrive(runs, name):
    steps = runs[name]["step_progress"]
    assert steps[INFER]["events"] >= 3 and steps[INFER]["last"] == steps[INFER]["max"]
    assert steps[SAVE]["last"] == steps[SAVE]["max"] and runs[name]["previews"] >= 2


def test_unloaded_weights_give_the_same_result_when_read_again(runs):
    """ProbeEvict and ProbeEqual fail the run otherwise."""
    assert runs["2_evicted"]["end"] == "execution_success"


def digests(result):
    lines = (
        line.partition("probe ")[2].split(": ")
        for line in result["server_log"].splitlines()
        if line.startswith("probe ")
    )
    return dict(lines)


def test_alternating_between_two_models(result):
    found = digests(result)
    assert found["turn a"] == found["turn a again"] != found["turn b"]


def test_weights_that_changed_on_disk_are_read_again(result):
    """Both files have the same bytes, because the alignment of mapped tensors may change the last bit."""
    found = digests(result)
    assert found["before"] != found["after"] == found["turn b"]


def test_only_matching_files_are_listed(result):
    schema = result["pack"]["nodes"]["SonicLoader"]
    text = json.dumps(schema)
    assert "changing.safetensors" in text and "unet_b.safetensors" in text and "svd_xt.safetensors" in text
    assert "README.pth" not in text and "audio2token" not in text and "sd15" not in text


def test_workflows_of_comfyui_sonic_run(runs):
    assert video_of(runs["5_sonict"])["video"]["frames"] == FRAMES
    faster = video_of(runs["5_sonict_fps"])["video"]
    assert (faster["fps"], faster["frames"]) == (30, round(30 * SHORT_S))


def test_a_page_file_of_comfyui_sonic_opens_and_runs(runs):
    run = runs["page_comfyui_sonic"]
    made = video_of(run)["video"]
    assert run["ok"] and (made["frames"], made["fps"], made["width"]) == (FRAMES, 25, SIDE_PX)


def test_without_interpolation_every_second_frame_is_kept(runs):
    made = video_of(runs["6_every_second"])["video"]
    assert (made["fps"], made["frames"]) == (12.5, (FRAMES + 1) // 2)


def test_a_file_with_one_widget_of_the_loader_still_opens(runs):
    assert runs["page_older"]["ok"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "fails_absent",
            "Put unet.pth at models/sonic/unet.pth (6.30 GB, from https://huggingface.co/LeonJoe13/Sonic)",
        ),
        ("fails_not_a_unet", "Put unet.pth at models/sonic/unet.pth"),
    ],
)
def test_errors_begin_with_the_remedy(runs, name, message):
    error = runs[name]["error"]
    assert message in (error if isinstance(error, str) else error["exception_message"])


def test_cancel_stops_within_half_a_second(result):
    assert len(result["cancel"]) == 2
    for cancel in result["cancel"]:
        assert cancel["end"] == "execution_interrupted" and cancel["seconds_to_stop"] <= CANCEL_S, cancel


# The tensors whose shapes identify the UNet of Stable Video Diffusion to ComfyUI. It is never run, so the others may be
# missing.
BLOCKS = {1: 320, 2: 320, 4: 640, 5: 640, 7: 1280, 8: 1280, 10: 1280, 11: 1280}
OUTPUT_BLOCKS = [  # (input channels, output channels)
    (2560, 1280),
    (2560, 1280),
    (2560, 1280),
    (2560, 1280),
    (2560, 1280),
    (1920, 1280),
    (1920, 640),
    (1280, 640),
    (960, 640),
    (960, 320),
    (640, 320),
    (640, 320),
]


def svd_unet_signature():
    shapes = {
        "input_blocks.0.0.weight": (320, 8, 3, 3),
        "label_emb.0.0.weight": (1280, 768),
        "out.2.weight": (4, 320, 3, 3),
        "middle_block.1.proj_in.weight": (1280, 1280),
        "middle_block.1.transformer_blocks.0.norm1.weight": (1280,),
    }
    for i, c in BLOCKS.items():
        block = f"input_blocks.{i}"
        shapes |= {
            f"{block}.0.in_layers.0.weight": (c // 2 if i in (4, 7) else c,),
            f"{block}.0.out_layers.3.weight": (c, c, 3, 3),
        }
        if i < 10:
            shapes |= {
                f"{block}.1.transformer_blocks.0.attn2.to_k.weight": (c, 1024),
                f"{block}.1.proj_in.weight": (c, c),
            }
            shapes |= {f"{block}.1.time_stack.0.{name}.to_q.weight": (c, c) for name in ("attn1", "attn2")}
    for i, (c_in, c) in enumerate(OUTPUT_BLOCKS):
        shapes[f"output_blocks.{i}.0.in_layers.0.weight"] = (c_in,)
        if i >= 3:
            block = f"output_blocks.{i}.1"
            shapes |= {f"{block}.transformer_blocks.0.attn2.to_k.weight": (c, 1024), f"{block}.proj_in.weight": (c, c)}
    shapes |= {f"input_blocks.{i}.0.op.weight": (c, c, 3, 3) for i, c in ((3, 320), (6, 640), (9, 1280))}
    return {f"model.diffusion_model.{name}": torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def connected(harness, tmp_path_factory):
    """A small Sonic model with SVD's own CLIP and VAE, which ComfyUI builds in full size only."""
    from safetensors.torch import load_file, save_file

    full = os.environ.get("SONIC_FULL_MODELS")
    if not full:
        pytest.skip(
            "set SONIC_FULL_MODELS to a folder of tests/tools/make_models.py; SVD's CLIP and VAE take 5 GB of memory"
        )
    models = tmp_path_factory.mktemp("connected") / "models"
    list(make(models, torch.float32, only=("whisper", "rife"), small=True))
    for key, sizes in (("unet", {"context": 1024}), ("audio2token", {"dim": 1024}), ("audio2bucket", {"image": 1024})):
        torch.save(network(key, torch.float32, small=True, **sizes), models / f"sonic/{key}.pth")
    (models / "checkpoints").mkdir()
    svd = os.path.join(full, "checkpoints/svd_xt.safetensors")
    save_file(load_file(svd) | svd_unet_signature(), models / "checkpoints/svd_xt.safetensors")
    objects = {"clip_vision": ["20", 1], "vae": ["20", 2]}
    loader = {"20": {"class_type": "ImageOnlyCheckpointLoader", "inputs": {"ckpt_name": "svd_xt.safetensors"}}}
    old = comfyui_sonic_workflow() | loader
    old[PRE]["inputs"] |= objects
    old[LOADER]["inputs"]["model"] = ["20", 0]
    both = with_digest("objects", "unet.pth")
    both["20"]["inputs"]["like"] = "files"
    both = both | {"21": both["20"]} | loader
    both[PRE]["inputs"] |= objects
    graphs = {"1_old": old, "2_files": with_digest("files", "unet.pth"), "3_objects": both}
    folder = make_folders(tmp_path_factory.mktemp("objects"), graphs)
    return harness(
        folder, "connected", "--no-ui", "--models", str(models), "--extra-pack", str(PROBE_PACK), "--timeout", "1500"
    )


def test_connected_objects_match_the_files(connected):
    assert connected["problems"] == []
    assert video_of(connected["workflows"][0])["video"]["frames"] == FRAMES
    # Not bit for bit: the alignment of mapped tensors may change the last bit.
    assert float(digests(connected)["objects off"]) < 1e-4


@pytest.fixture(scope="module")
def full(harness, tmp_path_factory):
    models = os.environ.get("SONIC_FULL_MODELS")
    if not models:
        pytest.skip(
            "set SONIC_FULL_MODELS to a folder of tests/tools/make_models.py; it takes minutes and 8 GB of memory"
        )
    graphs = {"2_evicted": GRAPHS["2_evicted"], "cancel": graph({INFER: {"inference_steps": 50}})}
    folder = make_folders(tmp_path_factory.mktemp("full"), graphs)
    for name in ("page_older", "page_comfyui_sonic"):
        (folder / f"workflows/{name}.json").unlink()
    return harness(
        folder,
        "full",
        "--models",
        models,
        "--extra-pack",
        str(PROBE_PACK),
        "--cancel-timeout",
        "60",
        "--timeout",
        "3000",
    )


def test_full_size_networks_run_from_the_page_to_a_video(full):
    assert full["problems"] == []
    page = next(run for run in full["workflows"] if run["name"] == "page_fast")
    made = video_of(page)["video"]
    assert (made["frames"], made["width"]) == (FRAMES, SIDE_PX) and page["previews"] >= 2
    print("full size:", {run["name"]: run["seconds"] for run in full["workflows"]}, "cancel:", full["cancel"])
