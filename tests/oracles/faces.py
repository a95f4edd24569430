"""A drawn face and the mesh that belongs to it: enough for the renderer's own tests, without a network."""

import numpy as np

# Indices of MediaPipe's face mesh and where they lie on a frontal face, x and y in face heights from the mouth's
# middle.
_CORNERS = {61: (-0.17, 0.0), 291: (0.17, 0.0), 78: (-0.155, 0.0), 308: (0.155, 0.0)}
_MIDDLE = {10: (0, -0.75), 152: (0, 0.25), 0: (0, -0.045), 17: (0, 0.06), 2: (0, -0.14), 13: (0, 0.0), 14: (0, 0.0)}
_LIDS = [  # eye on the picture's left, then right: upper and lower lid from left to right
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133), -0.16),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263), 0.16),
]
_BROWS = [((46, 53, 52, 65, 55), -0.16), ((285, 295, 282, 283, 276), 0.16)]
_EYE = (0.07, 0.022, -0.42)  # half width, half height, y
_UPPER = [191, 80, 81, 82, 13, 312, 311, 310, 415]
_LOWER = [95, 88, 178, 87, 14, 317, 402, 318, 324]


SKIN, LIPS, EYE_WHITE = (200, 160, 140), (170, 80, 80), (245, 245, 245)


def drawn_mesh(width, height, face_height=None, gap=0.0, eyes_open=1.0):
    """f32[468, 3] of a frontal face in the middle of a picture; `gap` parts the inner lips, in face heights."""
    unit = face_height or 0.6 * height
    centre = np.array([width / 2, height / 2 + 0.25 * unit])
    angle = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    mesh = np.stack([0.36 * np.cos(angle), -0.25 + 0.5 * np.sin(angle)], 1)  # every other point on the outline
    for index, place in {**_CORNERS, **_MIDDLE}.items():
        mesh[index] = place
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
