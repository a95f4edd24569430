"""A drawn face and its mesh, for tests of the renderer without a network."""

import numpy as np

from sonic_nodes.face import LANDMARKS

# Where points of the mesh lie on a frontal face: x and y in face heights from the mouth's middle.
_POINTS = {
    "mouth_left": (-0.17, 0.0),
    "mouth_right": (0.17, 0.0),
    "mouth_left_inner": (-0.155, 0.0),
    "mouth_right_inner": (0.155, 0.0),
    "forehead": (0, -0.75),
    "chin": (0, 0.25),
    "lip_top": (0, -0.045),
    "lip_bottom": (0, 0.06),
    "nose_base": (0, -0.14),
    "lip_upper": (0, 0.0),
    "lip_lower": (0, 0.0),
}
_LEFT, _RIGHT = LANDMARKS["eye_left"], LANDMARKS["eye_right"]  # rings that begin at the outer corners
_LIDS = [  # eye on the image's left, then right: upper and lower lid from left to right, x of the eye
    (_LEFT[:1] + _LEFT[:7:-1], _LEFT[:9], -0.16),
    (_RIGHT[8:] + _RIGHT[:1], _RIGHT[8::-1], 0.16),
]
_BROWS = [(LANDMARKS["brow_left"], -0.16), (LANDMARKS["brow_right"], 0.16)]
_EYE = (0.07, 0.022, -0.42)  # half width, half height, y
_LOWER, _UPPER = LANDMARKS["lips_inner"][1:10], LANDMARKS["lips_inner"][11:]

SKIN, LIPS, EYE_WHITE = (200, 160, 140), (170, 80, 80), (245, 245, 245)


def drawn_mesh(width, height, face_height=None, gap=0.0, eyes_open=1.0):
    """f32[468, 3] of a frontal face in the middle of an image; `gap` parts the inner lips, in face heights."""
    unit = face_height or 0.6 * height
    centre = np.array([width / 2, height / 2 + 0.25 * unit])
    angle = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    mesh = np.stack([0.36 * np.cos(angle), -0.25 + 0.5 * np.sin(angle)], 1)  # unnamed points lie on the outline
    for name, place in _POINTS.items():
        mesh[LANDMARKS[name]] = place
    for row, sign in ((_UPPER, -0.5), (_LOWER, 0.5)):
        x = np.linspace(-0.155, 0.155, 11)[1:-1]
        for index, at in zip(row, x, strict=True):
            mesh[index] = (at, sign * gap * (1 - (at / 0.155) ** 2))
    half, open_, eye_y = _EYE
    t = np.linspace(-1, 1, 9)
    for upper, lower, centre_x in _LIDS:
        for lid, sign in ((upper, -1), (lower, 1)):
            mesh[list(lid)] = np.stack([centre_x + half * t, eye_y + sign * eyes_open * open_ * (1 - t**2)], 1)
    for brow, centre_x in _BROWS:
        mesh[list(brow)] = np.stack([centre_x + 0.08 * np.linspace(-1, 1, 5), np.full(5, eye_y - 0.09)], 1)
    return np.concatenate([mesh * unit + centre, np.zeros((468, 1))], 1).astype(np.float32)


def drawn_face(width, height, face_height=None, seed=0):
    """u8[height, width, 3]: skin, white eyes, a dark line between red lips, and grain."""
    unit = face_height or 0.6 * height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (x - width / 2) / unit, (y - height / 2 - 0.25 * unit) / unit
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = (90, 120, 150)
    picture[(x / 0.36) ** 2 + ((y + 0.25) / 0.5) ** 2 < 1] = SKIN
    picture[(x / 0.17) ** 2 + (y / 0.055) ** 2 < 1] = LIPS
    picture[(np.abs(x) < 0.155) & (np.abs(y) < 0.004)] = (60, 20, 20)
    half, open_, eye_y = _EYE
    for _, _, centre_x in _LIDS:
        across = (x - centre_x) / half
        picture[(np.abs(across) < 1) & (np.abs(y - eye_y) < open_ * (1 - across**2))] = EYE_WHITE
    grain = np.random.default_rng(seed).normal(0, 4, (height, width, 1))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
