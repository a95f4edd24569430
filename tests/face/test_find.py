"""Faces are found upright, rotated, small and cropped, and nowhere else."""

import threading

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sonic_nodes import face
from sonic_nodes.errors import InputError, InstallError, NoFaceError
from sonic_nodes.extension.native import call
from sonic_nodes.face import LANDMARKS, choose, find_faces, fit_face, pick, run_network
from tests.oracles.covers import MASKS, covered

LIPS_MIDDLE = [LANDMARKS["lip_upper"], LANDMARKS["lip_lower"]]


@pytest.fixture(scope="module")
def portrait(sample_dir):
    return Image.open(sample_dir / "portrait.jpg").convert("RGB")


@pytest.fixture(scope="module")
def known(portrait):
    return find_faces(np.asarray(portrait))[0]


def face_height(points):
    return np.linalg.norm(points[LANDMARKS["forehead"]] - points[LANDMARKS["chin"]])


def off(found, expected_points):
    """Mean distance of the mesh in face heights."""
    height = face_height(expected_points)
    return np.linalg.norm(found.mesh[:, :2] - expected_points, axis=1).mean() / height


def test_sample_has_one_face(portrait, known):
    assert known.score > 0.9 and known.presence > 0.99
    assert known.mesh.shape == (468, 3) and known.keypoints.shape == (6, 2)
    x0, y0, x1, y1 = known.hull_xyxy
    assert 0 < x0 < x1 < portrait.width and 0 < y0 < y1 < portrait.height
    assert np.allclose(known.hull_xyxy, [*known.mesh[:, :2].min(0), *known.mesh[:, :2].max(0)])
    assert len(find_faces(np.asarray(portrait))) == 1


def test_points_have_their_anatomy(known):
    left_eye, right_eye, nose, mouth = known.keypoints[:4]
    assert left_eye[0] < nose[0] < right_eye[0] and left_eye[1] < nose[1] < mouth[1]
    near = 0.1 * face_height(known.mesh)
    for side, eye in (("left", left_eye), ("right", right_eye)):
        corners = [LANDMARKS[f"eye_{side}_outer"], LANDMARKS[f"eye_{side}_inner"]]
        assert np.linalg.norm(known.mesh[corners, :2].mean(0) - eye) < near
    assert np.linalg.norm(known.mesh[LIPS_MIDDLE, :2].mean(0) - mouth) < near
    # the nose is nearer than the ears
    assert known.mesh[1, 2] < known.mesh[234, 2] and known.mesh[1, 2] < known.mesh[454, 2]


@pytest.mark.parametrize("degrees", [-45, -20, 30, 60, 90, 120, 180, 250, 270])
def test_rotated(portrait, known, degrees):
    rotated = portrait.rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)
    c, s = np.cos(np.radians(-degrees)), np.sin(np.radians(-degrees))
    middle = np.array([portrait.width, portrait.height]) / 2
    expected = (known.mesh[:, :2] - middle) @ np.array([[c, s], [-s, c]]) + np.array(
        [rotated.width, rotated.height]
    ) / 2
    (found,) = find_faces(np.asarray(rotated))
    assert off(found, expected) < 0.02


def test_a_face_that_the_detector_takes_for_an_upright_one_stands_on_its_head(shared_dir):
    """At 220 degrees the detector sees eyes where the corners of the mouth are, with a score above 0.75."""
    path = shared_dir / "talking" / "wda2.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0)).to_image()
    (found,) = find_faces(np.array(frame.rotate(220, Image.Resampling.BICUBIC, expand=True)))
    down = found.mesh[LANDMARKS["chin"], :2] - found.mesh[LANDMARKS["forehead"], :2]
    assert abs(np.degrees(np.arctan2(-down[0], down[1])) + 220 - 360) < 25


@pytest.mark.parametrize("kind", MASKS)
def test_a_masked_face_is_not_turned_over(portrait, known, kind):
    """Without a mouth, the way up is in doubt."""
    for seed in range(3):
        (found, *_) = find_faces(covered(np.asarray(portrait), known.mesh, kind, seed))
        assert found.mesh[LANDMARKS["chin"], 1] > found.mesh[LANDMARKS["forehead"], 1]


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.1])
def test_small_in_a_large_picture(portrait, known, scale):
    small = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)), Image.Resampling.LANCZOS)
    scene = Image.new("RGB", (1200, 900), (90, 110, 130))
    scene.paste(small, (700, 300))
    (found,) = find_faces(np.asarray(scene))
    assert off(found, known.mesh[:, :2] * scale + (700, 300)) < 0.06


def test_small_picture(portrait, known):
    small = portrait.resize((77, 90), Image.Resampling.LANCZOS)
    (found,) = find_faces(np.asarray(small))
    assert off(found, known.mesh[:, :2] * 0.15) < 0.04


@pytest.mark.parametrize("cut", ["hull", "chin", "forehead", "left", "right"])
def test_cut_by_the_border(portrait, known, cut):
    x0, y0, x1, y1 = (int(v) for v in known.hull_xyxy)
    box = {
        "hull": (x0, y0, x1, y1),
        "chin": (0, 0, portrait.width, y1 - 50),
        "forehead": (0, y0 + 40, portrait.width, portrait.height),
        "left": (x0 + 50, 0, portrait.width, portrait.height),
        "right": (0, 0, x1 - 50, portrait.height),
    }[cut]
    (found,) = find_faces(np.asarray(portrait.crop(box)))
    assert off(found, known.mesh[:, :2] - box[:2]) < 0.04


def test_several_faces_come_largest_first(portrait):
    scene = Image.new("RGB", (1000, 700), (90, 110, 130))
    scene.paste(portrait.resize((300, 352)), (20, 20))
    scene.paste(portrait, (450, 50))
    faces = find_faces(np.asarray(scene))
    assert [bool(f.hull_xyxy[0] > 450) for f in faces] == [True, False]
    chosen, notes = choose(np.asarray(scene))
    assert np.array_equal(chosen.mesh, faces[0].mesh) and "2 faces: the largest was chosen" in notes[0]
    assert "number 1 by size" in choose(np.asarray(scene), 1)[1][0]


def no_faces():
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:300, :400]
    return {
        "grey": np.full((300, 400, 3), 128, np.uint8),
        "black": np.zeros((200, 200, 3), np.uint8),
        "one pixel": np.zeros((1, 1, 3), np.uint8),
        "noise": random.integers(0, 256, (256, 256, 3), np.uint8),
        "thin": random.integers(0, 256, (2000, 3, 3), np.uint8),
        "waves": np.stack([np.uint8(127 + 120 * np.sin(rows / k) * np.cos(columns / k)) for k in (9, 15, 31)], 2),
    }


@pytest.mark.parametrize("kind", no_faces())
def test_no_face_is_invented(kind):
    assert find_faces(no_faces()[kind]) == []


@pytest.mark.parametrize("name", ["friends.png", "kodim03.png"])
def test_no_face_is_invented_in_photos(shared_dir, name):
    """The first shows two dogs that look at the camera."""
    path = shared_dir / "photos" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    assert find_faces(np.asarray(Image.open(path).convert("RGB"))) == []


def test_an_image_without_a_face_is_refused_with_remedies():
    with pytest.raises(NoFaceError, match="^Choose a picture that shows a face.*face_mask.*64 x 48"):
        choose(np.zeros((48, 64, 3), np.uint8))


def test_face_index_out_of_range(known):
    for index in (-1, 1, 7):
        with pytest.raises(InputError, match="^Choose a face_index from 0 to 0"):
            pick([known], index, (512, 600))


def test_mask_finds_the_marked_face(portrait, known):
    mask = np.zeros((portrait.height, portrait.width), np.float32)
    x0, y0, x1, y1 = (int(v) for v in known.hull_xyxy)
    mask[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10] = 1
    chosen, notes = choose(np.asarray(portrait), 0, mask)
    assert notes == [] and np.array_equal(chosen.mesh, known.mesh)
    assert chosen.hull_xyxy.tolist() == [x0 - 10, y0 - 10, x1 + 10, y1 + 10]


def test_a_mask_without_a_face_in_it_is_accepted():
    mask = np.zeros((300, 400))
    mask[50:250, 100:260] = 0.8
    chosen, notes = choose(no_faces()["waves"], 0, mask)
    assert "mouth may sit a little off" in notes[0]
    assert chosen.hull_xyxy.tolist() == [100, 50, 260, 250]
    assert np.isfinite(chosen.mesh).all() and 50 < chosen.mesh[LIPS_MIDDLE, 1].mean() < 250


def test_fit_follows_the_box(portrait, known):
    fitted = fit_face(np.asarray(portrait), known.hull_xyxy)
    assert fitted.presence > 0.99 and off(fitted, known.mesh[:, :2]) < 0.02


@pytest.mark.parametrize(
    "mask, text",
    [
        (np.zeros((300, 400)), "Paint the face"),
        (np.ones((30, 40)), "of the picture's size, 400 x 300"),
        (np.ones((300, 400, 3)), "of the picture's size"),
    ],
)
def test_invalid_masks_are_refused(mask, text):
    with pytest.raises(InputError, match=text):
        choose(no_faces()["grey"], 0, mask)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (0, 0, float("nan"), 9), (0, 0, 1e9, 1e9), (-1e9, 0, -1e9 + 1, 5)])
def test_invalid_boxes_are_refused(box):
    with pytest.raises(InputError, match="^Give a face box"):
        fit_face(no_faces()["grey"], box)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        "text",
    ],
)
def test_invalid_images_are_refused(picture):
    with pytest.raises(InputError, match="^Give the picture as 8-bit RGB"):
        find_faces(picture)


def test_too_long_images_are_refused():
    with pytest.raises(InputError, match="^Choose a picture of at most 32767"):
        find_faces(np.zeros((1, 32768, 3), np.uint8))


def test_views_and_read_only_arrays(portrait, known):
    picture = np.asarray(portrait)
    wide = np.concatenate([picture, picture], axis=1)[:, : portrait.width]  # not contiguous
    wide.flags.writeable = False
    assert np.array_equal(find_faces(wide)[0].mesh, known.mesh)


def test_same_result_every_time_and_from_several_threads(portrait, known):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(find_faces(np.asarray(portrait))[0].mesh)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(np.abs(mesh - known.mesh).max() < 1e-2 for mesh in results)


def test_missing_weight_is_named():
    tensors = load_file(face.ASSETS / "face_mesh.safetensors")
    tensors.pop("points.refine.slope")
    names = "input\n" + "\n".join(f"mesh.{name}" for name in tensors)
    with pytest.raises(RuntimeError, match="mesh.points.refine.slope"):
        call("face_mesh", [torch.zeros(1, 3, 192, 192), *tensors.values()], names)


@pytest.mark.parametrize(
    "operator, shape", [("face_mesh", (1, 3, 100, 100)), ("face_detector", (1, 4, 128, 128)), ("face_find", (4, 4, 3))]
)
def test_wrong_inputs_are_refused(operator, shape):
    with pytest.raises(RuntimeError):
        run_network(operator, torch.zeros(shape), "image" if operator == "face_find" else "input")


def test_damaged_weights_say_install_again(monkeypatch, tmp_path):
    (tmp_path / "face_detector.safetensors").write_bytes(b"nonsense")
    monkeypatch.setattr(face, "ASSETS", tmp_path)
    face.network_weights.cache_clear()
    try:
        with pytest.raises(InstallError, match="^Install the package again"):
            find_faces(np.zeros((8, 8, 3), np.uint8))
    finally:
        monkeypatch.undo()
        face.network_weights.cache_clear()
