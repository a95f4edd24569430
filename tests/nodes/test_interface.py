"""The public interface: identifiers, order, types and defaults that users' workflow files contain. Lines may be
appended to a node, never changed."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# input: (id, type, optional, default); output: (name, type)
INPUTS = {
    "SonicLoadImage": [
        ("image", "COMBO", False, None),
        ("policy", "COMBO", False, "warn"),
        ("min_score", "FLOAT", True, 60.0),
    ],
    "SonicImageGate": [
        ("pixels", "IMAGE", False, None),
        ("policy", "COMBO", False, "warn"),
        ("min_score", "FLOAT", False, 60.0),
    ],
    "SONIC_PreData": [
        ("audio", "AUDIO", False, None),
        ("image", "IMAGE,VIDEO", False, None),
        ("min_resolution", "INT", False, 512),
        ("duration", "FLOAT", False, 0.0),
        ("expand_ratio", "FLOAT", False, 0.18),
        ("clip_vision", "CLIP_VISION", True, None),
        ("vae", "VAE", True, None),
        ("weight_dtype", "DTYPE", True, None),
        ("face_mask", "MASK", True, None),
        ("crop", "COMBO", True, "face"),
        ("face_index", "INT", True, 0),
        ("on_mismatch", "COMBO", True, "use shorter"),
        ("start", "FLOAT", True, 0.0),
        ("face_order", "COMBO", True, "largest-first"),
        ("clip_end", "COMBO", True, "loop"),
    ],
    "SonicLoader": [
        ("model", "COMBO", False, "built-in draft"),
        ("checkpoint", "COMBO", True, "automatic"),
        ("precision", "COMBO", True, "auto"),
        ("audio_strength", "FLOAT", True, 1.0),
        ("devices", "COMBO", True, "automatic"),
    ],
    "SonicInference": [
        ("model", "MODEL_SONIC", False, None),
        ("data", "SONIC_PREDATA", False, None),
        ("seed", "INT", False, 0),
        ("inference_steps", "INT", False, 25),
        ("dynamic_scale", "FLOAT", False, 1.1),
        ("motion_scale", "FLOAT", False, 1.05),
        ("appearance_guidance", "FLOAT", False, 2.0),
        ("audio_guidance", "FLOAT", False, 7.5),
        ("speed", "COMBO", True, "exact"),
    ],
    "SonicLatentDecoder": [
        ("model", "MODEL_SONIC", False, None),
        ("latent", "LATENT", False, None),
        ("data", "SONIC_PREDATA", False, None),
        ("interpolate", "BOOLEAN", False, True),
        ("output", "COMBO", True, "images"),
    ],
    "SonicPasteBack": [
        ("images", "IMAGE,VIDEO", False, None),
        ("data", "SONIC_PREDATA", False, None),
        ("feather", "FLOAT", False, 0.1),
        ("onto", "IMAGE,VIDEO", True, None),
    ],
    "SonicLipSyncCalibrate": [
        ("images", "IMAGE,VIDEO", False, None),
        ("audio", "AUDIO", False, None),
        ("fps", "FLOAT", False, 25.0),
        ("mode", "COMBO", False, "fix"),
        ("max_offset_ms", "FLOAT", False, 200.0),
    ],
    "SonicMotionSmooth": [
        ("images", "IMAGE,VIDEO", False, None),
        ("strength", "FLOAT", False, 0.5),
        ("protect_mouth", "BOOLEAN", False, True),
    ],
    "SonicBackground": [
        ("images", "IMAGE,VIDEO", False, None),
        ("background", "COMBO", False, "blur"),
        ("colour", "STRING", False, "#00b140"),
        ("picture", "IMAGE", True, None),
    ],
    "SonicCreateVideo": [
        ("images", "IMAGE", False, None),
        ("model", "MODEL_SONIC", False, None),
        ("latent", "LATENT", False, None),
        ("data", "SONIC_PREDATA", False, None),
        ("fps", "FLOAT", False, 25.0),
        ("audio", "AUDIO", True, None),
    ],
    # As in smthemex/ComfyUI_Sonic.
    "SonicInspect": [("video", "VIDEO", False, None)],
    "SonicVisibleLabel": [
        ("video", "VIDEO", False, None),
        ("text", "STRING", False, "AI-generated"),
        ("corner", "COMBO", False, "bottom-right"),
        ("size", "FLOAT", False, 0.06),
        ("always", "BOOLEAN", False, False),
        ("consent", "STRING", True, ""),
    ],
    "SonicBatch": [("folder", "COMBO", False, None), ("index", "INT", False, 0)],
    "SONICTLoader": [
        ("model", "MODEL", False, None),
        ("sonic_unet", "COMBO", False, None),
        ("ip_audio_scale", "FLOAT", False, 1.0),
        ("use_interframe", "BOOLEAN", False, True),
        ("dtype", "COMBO", False, "fp16"),
    ],
    "SONICSampler": [
        ("model", "MODEL_SONIC", False, None),
        ("data_dict", "SONIC_PREDATA", False, None),
        ("seed", "INT", False, 0),
        ("inference_steps", "INT", False, 25),
        ("dynamic_scale", "FLOAT", False, 1.0),
        ("fps", "FLOAT", False, 25.0),
    ],
}
OUTPUTS = {
    "SonicLoadImage": [
        ("image", "IMAGE"),
        ("mask", "MASK"),
        ("score", "FLOAT"),
        ("passed", "BOOLEAN"),
        ("report", "STRING"),
        ("heat_map", "IMAGE"),
    ],
    "SonicImageGate": [
        ("image", "IMAGE"),
        ("mask", "MASK"),
        ("score", "FLOAT"),
        ("passed", "BOOLEAN"),
        ("report", "STRING"),
        ("heat_map", "IMAGE"),
    ],
    "SONIC_PreData": [("data", "SONIC_PREDATA"), ("preview", "IMAGE"), ("audio", "AUDIO"), ("duration", "FLOAT")],
    "SonicLoader": [("model", "MODEL_SONIC")],
    "SonicInference": [("latent", "LATENT")],
    "SonicLatentDecoder": [("images", "IMAGE"), ("fps", "FLOAT"), ("video", "VIDEO")],
    "SonicPasteBack": [("images", "IMAGE"), ("video", "VIDEO")],
    "SonicLipSyncCalibrate": [
        ("images", "IMAGE"),
        ("audio", "AUDIO"),
        ("offset_ms", "FLOAT"),
        ("confidence", "FLOAT"),
        ("plot", "IMAGE"),
        ("video", "VIDEO"),
    ],
    "SonicMotionSmooth": [("images", "IMAGE"), ("report", "STRING"), ("video", "VIDEO")],
    "SonicBackground": [("images", "IMAGE"), ("mask", "MASK"), ("video", "VIDEO")],
    "SonicCreateVideo": [("video", "VIDEO")],
    "SonicInspect": [("report", "STRING"), ("ai_generated", "BOOLEAN"), ("json", "STRING")],
    "SonicVisibleLabel": [("video", "VIDEO")],
    "SonicBatch": [("audio", "AUDIO"), ("filename_prefix", "STRING"), ("count", "INT")],
    "SONICTLoader": [("model", "MODEL_SONIC"), ("weight_dtype", "DTYPE")],
    "SONICSampler": [("image", "IMAGE"), ("fps", "FLOAT"), ("video", "VIDEO")],
}
RANGES = {
    ("SonicLoadImage", "min_score"): (0.0, 100.0, 1.0),
    ("SonicImageGate", "min_score"): (0.0, 100.0, 1.0),
    ("SONIC_PreData", "min_resolution"): (128, 2048, 64),
    ("SONIC_PreData", "expand_ratio"): (0.0, 1.0, 0.01),
    ("SonicInference", "inference_steps"): (1, 100, 1),
    ("SonicInference", "dynamic_scale"): (0.5, 2.0, 0.05),
    ("SonicInference", "motion_scale"): (0.5, 2.0, 0.05),
    ("SonicPasteBack", "feather"): (0.0, 0.5, 0.01),
    ("SonicLoader", "audio_strength"): (0.0, 2.0, 0.05),
    ("SonicLipSyncCalibrate", "fps"): (1.0, 240.0, 0.01),
    ("SonicLipSyncCalibrate", "max_offset_ms"): (0.0, 600.0, 1.0),
    ("SonicMotionSmooth", "strength"): (0.0, 1.0, 0.05),
    ("SonicVisibleLabel", "size"): (0.05, 0.2, 0.005),
    ("SonicBatch", "index"): (0, 2147483647, None),
    ("SONICTLoader", "ip_audio_scale"): (0.5, 2.0, 0.1),
    ("SONICSampler", "seed"): (0, 2147483647, None),
    ("SONICSampler", "inference_steps"): (1, 1024, 1),
    ("SONICSampler", "dynamic_scale"): (0.5, 2.0, 0.1),
    ("SonicCreateVideo", "fps"): (5.0, 120.0, 0.5),
    ("SONICSampler", "fps"): (5.0, 120.0, 0.5),
}
UPSCALING = {"UpscaleModelLoader", "ImageUpscaleWithModel", "ImageScale", "ImageBlend"}
CORE = {"LoadAudio", "LoadVideo", "CreateVideo", "SaveVideo", "MarkdownNote"} | UPSCALING


@pytest.fixture
def schemas(nodes):
    return {name: node.define_schema() for name, node in nodes.items()}


def test_inputs_keep_their_names_order_and_defaults(schemas):
    found = {
        name: [(i.id, i.io_type, bool(i.optional), i.default) for i in schema.inputs]
        for name, schema in schemas.items()
    }
    assert found == INPUTS


def test_outputs_keep_their_names_and_order(schemas):
    assert {name: [(o.display_name, o.io_type) for o in schema.outputs] for name, schema in schemas.items()} == OUTPUTS


def test_ranges(schemas):
    for (node, name), expected in RANGES.items():
        found = next(i for i in schemas[node].inputs if i.id == name)
        assert (found.min, found.max, found.step) == expected, (node, name)


def test_ids_of_inputs_and_outputs_are_unique(schemas):
    for name, schema in schemas.items():
        ids = [slot.id for slot in schema.inputs + schema.outputs]
        assert len(ids) == len(set(ids)), name


def test_required_inputs_come_first(schemas):
    """ComfyUI sorts them this way; another order in the schema would differ from the page."""
    for name, schema in schemas.items():
        optional = [bool(i.optional) for i in schema.inputs]
        assert optional == sorted(optional), name


def test_every_input_and_output_has_a_tooltip(schemas):
    for name, schema in schemas.items():
        assert schema.node_id == name and schema.display_name and len(schema.description) > 40
        for slot in schema.inputs + schema.outputs:
            assert slot.tooltip and len(slot.tooltip) > 15, (name, slot.id)


def test_the_chinese_translation_covers_the_schemas_exactly(schemas):
    chinese = json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))
    assert set(chinese) == set(schemas)
    for name, schema in schemas.items():
        entry = chinese[name]
        assert set(entry["inputs"]) == {i.id for i in schema.inputs}, name
        assert set(entry["outputs"]) == {str(i) for i in range(len(schema.outputs))}, name
        texts = [entry["description"]] + [
            t for slot in (*entry["inputs"].values(), *entry["outputs"].values()) for t in slot.values()
        ]
        assert entry["display_name"] and all(texts), name


# Names of formats stay as they are, and so do those of files and folders, of which only the sample's is here.
UNTRANSLATED = {"fp16", "bf16", "fp32", "sonic_sample_recordings"}


def test_every_choice_has_a_chinese_label(schemas):
    """ComfyUI ignores `options`; web/choices.js shows them."""
    chinese = json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))
    for name, schema in schemas.items():
        for slot in schema.inputs:
            choices = slot.options if slot.io_type == "COMBO" and not slot.upload else []
            labels = chinese[name]["inputs"][slot.id].get("options", {})
            assert list(labels) == [choice for choice in choices if choice not in UNTRANSLATED], (name, slot.id)
            assert len(set(labels.values())) == len(labels) and not re.search("[A-Za-z]", "".join(labels.values()))


def widget_values(schema, values):
    """The values that the page stores for a node's widgets, by input id: in schema order, with the page's own values in
    between."""
    ids = []
    for slot in schema.inputs:
        if slot.io_type in ("INT", "FLOAT", "BOOLEAN", "COMBO", "STRING"):
            ids.append(slot.id)
            if slot.control_after_generate:
                ids.append("control_after_generate")
    if any(slot.upload for slot in schema.inputs):
        ids.append("upload")
    assert len(ids) == len(values), (ids, values)
    return dict(zip(ids, values, strict=True))


TEMPLATES = ["draft", "fast", "high_quality", "two_speakers", "repair_portrait", "languages", "dub_a_clip"]
TEMPLATES += ["presenter", "batch"]


@pytest.fixture(scope="session", params=TEMPLATES)
def template_name(request):
    return request.param


@pytest.fixture(scope="session")
def template(template_name):
    return json.loads((ROOT / f"workflows/{template_name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def api_graph(template_name):
    return json.loads((ROOT / f"docs/api/{template_name}.json").read_text(encoding="utf-8"))


def test_template_and_api_file_agree(schemas, template, api_graph):
    nodes = {str(node["id"]): node for node in template["nodes"] if node["type"] != "MarkdownNote"}
    assert {name: n["class_type"] for name, n in api_graph.items()} == {name: n["type"] for name, n in nodes.items()}
    for name, entry in api_graph.items():
        schema = schemas.get(entry["class_type"])
        if schema:
            stored = widget_values(schema, nodes[name]["widgets_values"])
            given = {name: value for name, value in entry["inputs"].items() if not isinstance(value, list)}
            assert {name: stored[name] for name in given} == given
            assert set(entry["inputs"]) >= {i.id for i in schema.inputs if not i.optional}


def test_template_values_are_in_range(schemas, template, extension):
    for node in template["nodes"]:
        schema = schemas.get(node["type"])
        assert schema or node["type"] in CORE
        assert "title" not in node, "a stored title hides the translated one"
        if not schema:
            continue
        values = widget_values(schema, node["widgets_values"])
        for slot in schema.inputs:
            if slot.options and slot.id != "image":
                assert values[slot.id] in [*slot.options, "unet.pth"]
            if slot.min is not None and slot.id in values:
                assert slot.min <= values[slot.id] <= slot.max
    loaders = ("SonicLoadImage", "LoadVideo", "LoadAudio", "SonicBatch")
    inputs = [n["widgets_values"][0] for n in template["nodes"] if n["type"] in loaders]
    assert len(set(inputs)) == len(inputs) >= 2
    assert set(inputs) <= {*extension.SAMPLES.values(), extension.SAMPLE_FOLDER}


RECOMMENDED = {"fast": (512, 15), "high_quality": (1024, 25)}


def test_templates_contain_the_recommended_values(schemas, template_name, template):
    stored = {
        n["type"]: widget_values(schemas[n["type"]], n["widgets_values"])
        for n in template["nodes"]
        if n["type"] in schemas
    }
    inference, data = stored["SonicInference"], stored["SONIC_PreData"]
    assert (
        inference["dynamic_scale"] == 1.1 and inference["motion_scale"] == 1.05 and 0.15 <= data["expand_ratio"] <= 0.2
    )
    if template_name in RECOMMENDED:
        assert (data["min_resolution"], inference["inference_steps"]) == RECOMMENDED[template_name]
        assert stored["SonicLoader"]["model"] == "unet.pth" and stored["SonicLoader"]["checkpoint"] == "automatic"


def test_template_links_match_the_slots(schemas, template):
    nodes = {node["id"]: node for node in template["nodes"]}
    for link_id, origin, origin_slot, target, target_slot, kind in template["links"]:
        assert nodes[origin]["outputs"][origin_slot]["type"] == kind
        assert link_id in nodes[origin]["outputs"][origin_slot]["links"]
        assert nodes[target]["inputs"][target_slot]["link"] == link_id


def test_template_nodes_do_not_overlap(template):
    title = 34
    boxes = []
    for node in template["nodes"]:
        (x, y), (width, height) = node["pos"], node["size"]
        boxes.append((x, y - title, x + width, y + height, node["type"]))
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, (a[4], b[4])


def test_each_template_has_an_id_of_its_own():
    """By which the page finds the results of its last run again (web/results.js)."""
    ids = [json.loads(path.read_text("utf-8"))["id"] for path in (ROOT / "workflows").glob("*.json")]
    assert len(set(ids)) == len(ids) > 1 and not any(re.fullmatch("[0-]+", each) for each in ids)


def test_each_template_has_a_thumbnail():
    folder = ROOT / "workflows"
    assert {p.stem for p in folder.glob("*.json")} == {p.stem for p in folder.glob("*.jpg")}
