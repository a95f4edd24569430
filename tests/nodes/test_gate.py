"""The quality gate in Load Image and Image Quality Gate: what each policy does with a picture, and what it reports."""

import io
import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.gate import messages
from sonic_nodes.nodes.comfy_types import image_from_uint8, uint8_from_image

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ["off", "warn", "repair", "strict"]


@pytest.fixture(scope="module")
def clean(sample_dir):
    """The sample at 0.6 of its size, which removes the traces of its own compression."""
    picture = Image.open(sample_dir / "portrait.jpg").convert("RGB")
    return picture.resize([side * 6 // 10 for side in picture.size], Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def poor(clean):
    """(bytes of a JPEG of quality 40, its pixels)."""
    stream = io.BytesIO()
    clean.save(stream, "JPEG", quality=40)
    return stream.getvalue(), np.asarray(Image.open(io.BytesIO(stream.getvalue())))


@pytest.fixture
def files(comfy, clean, poor):
    clean.save(comfy.input_folder / "clean.png")
    (comfy.input_folder / "q40.jpg").write_bytes(poor[0])
    Image.fromarray(poor[1]).save(comfy.input_folder / "q40.png")
    return comfy.input_folder


def loaded(nodes, name, *values):
    return nodes["SonicLoadImage"].execute(name, *values)


def test_a_good_picture_passes_under_every_policy(nodes, files, clean):
    for policy in POLICIES:
        image, _, score, passed, report, heat = loaded(nodes, "clean.png", policy).args
        assert np.array_equal(uint8_from_image(image)[0], np.asarray(clean))
        assert score > 90 and passed is True and report.startswith("Quality gate: fine")
        assert heat.shape == image.shape and heat.dtype == torch.float32


@pytest.mark.parametrize("name", ["q40.jpg", "q40.png"])
def test_warn_reports_the_faults_and_passes_the_picture_on(nodes, files, poor, name):
    out = loaded(nodes, name)  # warn is the default
    image, _, score, passed, report, _ = out.args
    assert np.array_equal(uint8_from_image(image)[0], poor[1])
    assert score < 30 and passed is False
    assert "rejected" in report and re.search("JPEG (of )?quality 40", report) and "Ask for the original" in report
    assert out.ui["text"] == (report,)


@pytest.mark.parametrize("name", ["q40.jpg", "q40.png"])
def test_strict_stops_with_a_message_that_begins_with_the_remedy(nodes, files, name):
    message = r"^Ask for the original.*JPEG (of )?quality 40.*Quality gate: rejected, score \d+ of 100"
    with pytest.raises(ValueError, match=message) as raised:
        loaded(nodes, name, "strict")
    assert raised.value.__cause__ is None


def test_strict_stops_below_min_score(nodes, files):
    score = loaded(nodes, "clean.png", "strict", 60.0).args[2]
    assert score < 100 or loaded(nodes, "clean.png", "strict", 100.0).args[3] is True
    (files / "q75.jpg").write_bytes(saved(files / "clean.png", 72))
    kept = loaded(nodes, "q75.jpg", "warn", 95.0).args
    assert 60 < kept[2] < 95 and kept[3] is False and "fine" in kept[4]
    with pytest.raises(
        ValueError, match=r"^Choose a better picture, or lower min_score: the score is \d+, min_score 95\."
    ):
        loaded(nodes, "q75.jpg", "strict", 95.0)
    assert loaded(nodes, "q75.jpg", "strict", 60.0).args[3] is True


def saved(path, quality):
    stream = io.BytesIO()
    Image.open(path).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def psnr(a, b):
    return 10 * math.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2))


@pytest.mark.parametrize("name", ["q40.jpg", "q40.png"])
def test_repair_increases_psnr_against_the_original(nodes, files, clean, poor, name):
    image, _, score, _, report, _ = loaded(nodes, name, "repair").args
    gained = psnr(uint8_from_image(image)[0], clean) - psnr(poor[1], clean)
    assert gained > 0.3 and score > loaded(nodes, name, "warn").args[2]
    estimate = float(re.search(r"About ([\d.]+) dB nearer to the original \(estimated\); still marked", report)[1])
    assert estimate == pytest.approx(gained, abs=0.6) and "before," not in report


def test_repair_leaves_a_good_picture_unchanged_and_reports_it(nodes, files, clean):
    image, _, _, _, report, _ = loaded(nodes, "clean.png", "repair").args
    assert np.array_equal(uint8_from_image(image)[0], np.asarray(clean)) and "left as it is" in report


def test_off_reports_nothing_and_returns_the_same_score(nodes, files):
    off, warn = loaded(nodes, "q40.jpg", "off"), loaded(nodes, "q40.jpg", "warn")
    assert off.args[2:5] == warn.args[2:5] and torch.equal(off.args[5], warn.args[5])
    assert off.ui == {
        "text": ("Quality gate off.",),
        "images": [{"filename": "q40.jpg", "subfolder": "", "type": "input"}],
    }


def test_the_node_shows_its_picture_the_heat_map_and_the_report(nodes, files):
    shown = loaded(nodes, "q40.jpg [input]").ui
    entry = {"filename": "q40.jpg", "subfolder": "", "type": "input"}
    assert shown["images"] == [entry]
    (drawn,) = shown["sonic_heat_map"]
    with Image.open(files / "q40.jpg") as image:
        size = {"width": image.width, "height": image.height}
    assert drawn == {"picture": entry, "map": {"filename": "preview.png"}} | size
    assert shown["text"][0].startswith("Quality gate: rejected, score ")
    for policy in ("warn", "repair"):
        fine = loaded(nodes, "clean.png [input]", policy).ui
        assert fine["images"] == [{"filename": "clean.png", "subfolder": "", "type": "input"}]
        assert fine["text"][0].startswith("Quality gate: fine, score ") and "sonic_heat_map" not in fine


def test_the_heat_map_marks_the_region_that_was_compressed(nodes, comfy, clean, poor):
    pasted = np.array(clean)
    pasted[96:288, 64:256] = poor[1][97:289, 65:257]
    heat = nodes["SonicImageGate"].execute(image_from_uint8(pasted[None])).args[5][0]
    red = heat[..., 0] - heat[..., 2]  # the picture below is grey
    assert red[128:256, 96:224].mean() > 0.5 and red[:64].mean() < 0.1


def test_a_picture_too_small_to_judge_is_reported_and_passed_on(nodes, comfy):
    Image.new("RGB", (8, 8)).save(comfy.input_folder / "tiny.png")
    for policy in ("off", "warn", "repair"):
        image, _, score, passed, report, heat = loaded(nodes, "tiny.png", policy).args
        assert (
            image.shape == heat.shape == (1, 8, 8, 3)
            and score == 0
            and passed is False
            and "Choose a larger picture" in report
        )
    with pytest.raises(ValueError, match="^Choose a larger picture"):
        loaded(nodes, "tiny.png", "strict")


def test_errors_include_the_file_name(nodes, comfy):
    (comfy.input_folder / "bad.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"^Choose a picture, for example PNG or JPEG, .*: 'bad.png' is a text file"):
        loaded(nodes, "bad.png")


@pytest.mark.parametrize("node", ["SonicLoadImage", "SonicImageGate"])
def test_an_unknown_policy_is_refused(nodes, files, node):
    if node == "SonicImageGate":
        message = "Set policy to one of off, warn, repair, strict: it is 'none'."
        assert nodes[node].validate_inputs(policy="none") == message
        assert nodes[node].validate_inputs(policy=None) is True
    picture = "clean.png" if node == "SonicLoadImage" else torch.zeros(1, 32, 32, 3)
    with pytest.raises(ValueError, match="^Set policy to one of"):
        nodes[node].execute(picture, "none")


def test_unchanged_images_are_returned_as_the_same_tensor(nodes, comfy, clean):
    image = image_from_uint8(np.array(clean)[None]) + 1e-4  # finer than 8 bits
    for policy in POLICIES:
        assert nodes["SonicImageGate"].execute(image, policy).args[0] is image


def test_a_batch_reports_its_worst_image_and_has_a_heat_map_for_each(nodes, comfy, clean, poor):
    batch = image_from_uint8(np.stack([np.asarray(clean), poor[1], np.asarray(clean)]))
    image, mask, score, passed, report, heat = nodes["SonicImageGate"].execute(batch).args
    alone = nodes["SonicImageGate"].execute(batch[1:2]).args
    assert image is batch and mask.shape == batch.shape[:3] and not mask.any()
    assert (score, passed) == alone[2:4] and report == "3 images; the worst is number 2:\n" + alone[4]
    assert torch.equal(heat[1], alone[5][0]) and not torch.equal(heat[0], heat[1])


def test_repair_of_a_batch_changes_only_the_poor_images(nodes, comfy, clean, poor):
    batch = image_from_uint8(np.stack([np.asarray(clean), poor[1]]))
    given = batch.clone()
    image = nodes["SonicImageGate"].execute(batch, "repair").args[0]
    assert torch.equal(batch, given) and torch.equal(image[0], batch[0]) and not torch.equal(image[1], batch[1])


def test_an_alpha_channel_becomes_the_mask(nodes, comfy, clean):
    opaque = image_from_uint8(np.array(clean)[None])
    alpha = torch.linspace(0, 1, opaque.shape[2]).expand(opaque.shape[:3])
    image, mask = nodes["SonicImageGate"].execute(torch.cat([opaque, alpha[..., None]], -1)).args[:2]
    assert image.shape[-1] == 4 and torch.equal(mask, 1 - alpha)


@pytest.mark.parametrize("wrong", [None, torch.zeros(3, 4), torch.zeros(0, 4, 4, 3), torch.zeros(1, 4, 4, 1)])
def test_values_that_are_not_an_image_are_refused(nodes, comfy, wrong):
    with pytest.raises(ValueError, match="^Connect a colour image"):
        nodes["SonicImageGate"].execute(wrong)


def test_heat_maps_that_do_not_fit_are_refused_before_the_work(nodes, comfy, clean):
    comfy.free_bytes = 1000
    with pytest.raises(ValueError, match="^Give fewer or smaller images"):
        nodes["SonicImageGate"].execute(image_from_uint8(np.array(clean)[None]))


def test_cancel_stops_a_batch(nodes, comfy, clean):
    comfy.cancelled = True
    with pytest.raises(Exception) as raised:
        nodes["SonicImageGate"].execute(image_from_uint8(np.array(clean)[None]))
    assert type(raised.value).__name__ == "Cancelled"


def test_workflows_saved_before_the_gate_have_all_required_values(nodes):
    """Page files store values by position, so the upload button's value may land in min_score: web/sonic.js restores it
    (tests/e2e loads such a file in the page)."""
    required = [slot.id for slot in nodes["SonicLoadImage"].define_schema().inputs if not slot.optional]
    page = json.loads((ROOT / "tests/e2e/older/page.json").read_text(encoding="utf-8"))
    stored = next(node for node in page["nodes"] if node["type"] == "SonicLoadImage")["widgets_values"]
    assert dict(zip([*required, "upload"], stored, strict=True)) == {
        "image": "sonic_sample_portrait.jpg",
        "policy": "off",
        "upload": "image",
    }
    graph = json.loads((ROOT / "tests/e2e/older/api.json").read_text(encoding="utf-8"))
    given = next(node for node in graph.values() if node["class_type"] == "SonicLoadImage")["inputs"]
    assert set(given) == set(required)


def test_each_step_of_each_picture_is_reported(nodes, comfy, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(sys.modules["sonic_nodes.nodes.common"].time, "monotonic", lambda: next(clock))
    nodes["SonicImageGate"].execute(torch.zeros(3, 64, 64, 3), "warn", 60.0)
    assert [value for value, total, _ in comfy.progress if total == 12] == list(range(13))
    assert comfy.texts and all(node == "7" for node, _ in comfy.texts) and " left" in comfy.texts[0][1]


@pytest.mark.parametrize("node", ["SonicLoadImage", "SonicImageGate"])
def test_cancel_stops_inside_of_a_picture(nodes, files, comfy, monkeypatch, node):
    """What C measures asks for Cancel between its steps."""
    from sonic_nodes.extension.native import _sonic

    measured = []

    def evidence(*args):
        comfy.cancelled = True
        measured.append(True)
        return real(*args)

    real = _sonic.gate_evidence
    monkeypatch.setattr("sonic_nodes.gate.check._sonic", SimpleNamespace(**{**vars(_sonic), "gate_evidence": evidence}))
    monkeypatch.setattr("sonic_nodes.nodes.gate.Gate.step", lambda self: None)
    large = torch.rand(1, 900, 900, 3)  # takes longer than the time between two questions
    Image.fromarray(uint8_from_image(large)[0]).save(files / "large.png")
    picture = "large.png" if node == "SonicLoadImage" else large
    with pytest.raises(Exception) as raised:
        nodes[node].execute(picture, "warn", 60.0)
    assert type(raised.value).__name__ == "Cancelled" and measured


@pytest.mark.parametrize(("policy", "quality"), [("warn", "q40.jpg"), ("warn", "clean.png"), ("off", "q40.jpg")])
def test_the_page_gets_what_the_badge_shows(nodes, files, policy, quality):
    out = nodes["SonicLoadImage"].execute(quality, policy, 60.0)
    if policy == "off":
        assert "sonic_verdict" not in out.ui
        return
    (shown,) = out.ui["sonic_verdict"]
    assert shown["score"] == round(out.args[2]) and shown["passed"] == out.args[3]
    assert ("sonic_heat_map" in out.ui) == (quality == "q40.jpg")
    kinds = re.findall(r"^  (\w+): \{ colour", (ROOT / "sonic_nodes/web/results.js").read_text("utf-8"), re.MULTILINE)
    assert shown["verdict"] in kinds and set(kinds) == set(messages.NAMES)
