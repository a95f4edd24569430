"""Lack of memory at the operators of every network: all operators after a failed one get null operands, and lists of
tensors end where the failure was. That ends in an error, never in a crash. What reads tensors that were never set may
pass here by chance: `make asan` fills them with a pattern."""

import numpy as np
import pytest

from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.errors import ResourceError
from sonic_nodes.extension import native
from sonic_nodes.face import find_faces, fit_face, track_face
from sonic_nodes.media.image import read_picture
from sonic_nodes.progress import progress_callback
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import clip_data, operators_of, pictures
from tests.oracles.live import live_tensor_bytes

SPREAD, LAST = 8, 12  # operators of a network that fail: evenly spread, and the last
# without `sample`: tests/engines/test_stopped.py
NETWORKS = """clip_vision whisper audio_tokens_from_windows motion_bucket_from_windows vae_encoder vae_decoder rife
face_find face_fit face_track""".split()


class Recorder:
    """The extension's namespace in torch.ops; keeps the arguments of each operator's first call."""

    def __init__(self, operators):
        self.operators, self.calls = operators, {}

    def __getattr__(self, name):
        def run(tensors, *others):
            if not tensors[0].is_meta:  # an estimate of memory
                self.calls.setdefault(name, (tensors, *others))
            return getattr(self.operators, name)(tensors, *others)

        return run


@pytest.fixture(scope="module")
def calls(small_models, sample_dir):
    """Operator -> its arguments, for all that a clip and a tracked face need."""
    recorder = Recorder(native._OPERATORS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_OPERATORS", recorder)
        engine, data = SonicEngine(Models.in_folder(small_models)), clip_data(0.2)
        pictures(engine, engine.infer(data, 1, SonicSettings(steps=1)), data)
        portrait = read_picture(sample_dir / "portrait.jpg")
        face = find_faces(portrait)[0]
        fit_face(portrait, face.box_xyxy)
        track_face(portrait, face.mesh)
    return recorder.calls


@pytest.mark.parametrize("network", NETWORKS)
def test_any_operator_of_a_network_may_fail(calls, network):
    def work():
        return native.call(network, *calls[network])

    first = work()
    total, before = operators_of(work), live_tensor_bytes()
    chosen = {*range(max(1, total - LAST), total + 1), *np.linspace(1, total, min(SPREAD, total)).astype(int).tolist()}
    for number in sorted(chosen):
        with pytest.raises(ResourceError), progress_callback(None, fail_at=number):
            work()
    assert live_tensor_bytes() == before
    for a, b in zip(first, work(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
