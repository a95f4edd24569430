"""A worker for tests of sonic_nodes/batch/pool.py: processes import it by its name."""

import os
import time

from sonic_nodes.batch.runner import DISK, INPUT, MEMORY, PROGRAM


class Fake:
    """Its task is (what to do, path of a file in which each try adds a byte)."""

    def __init__(self, slot):
        if slot == "broken":
            os._exit(3)

    def __call__(self, task, report):
        what, path = task
        with open(path, "ab") as file:
            file.write(b".")
        tries = os.path.getsize(path)
        report(0.5)
        if what == "die" or (what == "die once" and tries == 1):
            os._exit(9)
        if what in (DISK, MEMORY, INPUT, PROGRAM) or (what == "memory once" and tries == 1):
            return {"status": "failed", "kind": MEMORY if what == "memory once" else what, "error": what}
        time.sleep(0.02)
        return {"status": "done", **dict.fromkeys(("bytes", "sha256", "seconds", "duration_s", "frames", "notes"))}


class Threaded:
    """Says how many threads C and libtorch may use, and computes on them."""

    def __init__(self, slot):
        import torch

        from sonic_nodes.extension import native

        native.begin_process()
        torch.set_num_threads(slot)
        self.torch, self.native = torch, native

    def __call__(self, task, report):
        product = self.torch.ones(512, 512) @ self.torch.ones(512, 512)
        return {
            "pid": os.getpid(),
            "c": self.native._sonic.build_info()["threads"],
            "libtorch": self.torch.get_num_threads(),
            "sum": float(product.sum()),
        }
