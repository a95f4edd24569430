"""Threads of libtorch's operators: the face networks run on the calling thread, and change nothing outside it."""

import subprocess
import sys
import threading

import pytest
import torch

from sonic_nodes import face

from ..oracles import faces

PICTURE = faces.drawn_face(256, 256)
# Counts the threads of a process that finds and tracks faces, with libtorch set to four.
COUNT = """
import os, torch
from sonic_nodes import face
torch.set_num_threads(1)
face.network_weights()  # converted by operators of libtorch, once
torch.set_num_threads(4)
from tests.oracles import faces
picture, mesh = faces.drawn_face(256, 256), faces.drawn_mesh(256, 256)
before = len(os.listdir("/proc/self/task"))
face.find_faces(picture)
for _ in range(3):
    face.track_face(picture, mesh)
print(len(os.listdir("/proc/self/task")) - before)
torch.ones(1 << 20).exp()
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_face_networks_start_no_thread_of_openmp():
    """Its threads would spin between the 150 small operators of each frame. Other operators still use all four."""
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    networks, others = map(int, done.stdout.split())
    assert networks == 0
    assert others >= 3


def test_the_number_of_threads_stays_what_it_was():
    before, seen = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            face.find_faces(PICTURE)
            seen.append(torch.get_num_threads())
            other = threading.Thread(target=lambda: (face.find_faces(PICTURE), seen.append(torch.get_num_threads())))
            other.start()
            other.join()
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 3, 3]


def test_a_refused_network_restores_the_number():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        face.run_network("face_mesh", torch.zeros(1, 3, 17, 17))
    assert torch.get_num_threads() == before
