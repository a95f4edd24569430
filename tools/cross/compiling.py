"""What setup.py compiles and in which order: stale files alone, the slowest first, as many at a time as the machine
has room for."""

import os
import re
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path


def read(path):
    return path.read_text() if path.exists() else None


def default_jobs():
    """A compiler for each processor that this process may use and for each 0.3 GB of free memory."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = re.search(r"MemAvailable: +(\d+) kB", read(Path("/proc/meminfo")) or "")
    return max(1, min(usable, int(free[1]) // 300_000) if free else usable)


def in_parallel(work, items, jobs, name=str):
    """Calls work(item) for all, the slowest sources first, and prints how many are done; the first error ends it."""
    slowest_first = sorted(items, key=lambda item: (Path(name(item)).suffix == ".c", -os.path.getsize(name(item))))
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(work, item): name(item) for item in slowest_first}
        try:
            for count, done in enumerate(as_completed(running), 1):
                done.result()
                print(f"[{count:{len(str(len(running)))}}/{len(running)}] {running[done]}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def is_stale(target, source):
    """Whether an object file is missing, or older than its source or a header in its dependency file."""
    listing = Path(target + ".d")
    if not (os.path.exists(target) and listing.exists()):
        return True
    paths = re.split(r"(?<!\\)\s+", listing.read_text().replace("\\\n", " ").strip())
    inputs = [source, *(path.replace("\\ ", " ") for path in paths[1:])]  # paths[0] is the target
    built = os.path.getmtime(target)
    return any(not os.path.exists(path) or os.path.getmtime(path) >= built for path in inputs)
