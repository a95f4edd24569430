"""A package index of the files in some folders, as pip asks for it (PEP 503): to try an upload before it is one.

    python -m tools.local_index INDEX DIST [MORE ...]            writes INDEX/simple, pip install --index-url file://...
    python -m tools.local_index INDEX DIST [MORE ...] --port N   and serves it on 127.0.0.1 (0: a free port)

Each link has the file's SHA-256, which pip compares, and the oldest Python of its metadata.
"""

import argparse
import functools
import hashlib
import html
import http.server
import re
import shutil
import zipfile
from pathlib import Path

ENDINGS = (".whl", ".tar.gz")


def normalised(name: str) -> str:
    """A project's name as addresses have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(file: Path) -> str:
    """Of sonic_talking_portrait-0.1.0-cp310-abi3-....whl and of an sdist."""
    return normalised(file.name.split("-")[0] if file.suffix == ".whl" else file.name.rpartition("-")[0])


def oldest_python(wheel: Path) -> str:
    """Requires-Python of a wheel's metadata, "" where it has none."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        found = re.search(r"^Requires-Python: *(\S+)", archive.read(name).decode(), re.MULTILINE)
    return found[1] if found else ""


def link(file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    python = oldest_python(file) if file.suffix == ".whl" else ""
    more = f' data-requires-python="{html.escape(python)}"' if python else ""
    return f'<a href="{file.name}#sha256={digest}"{more}>{file.name}</a><br>'


def page(links: list[str]) -> str:
    return "\n".join(["<!DOCTYPE html>", "<html><body>", *links, "</body></html>", ""])


def write(folder: Path, dists: list[Path]) -> list[str]:
    """Copies wheels and sdists into folder/simple/PROJECT and writes the pages. Returns the projects."""
    files = sorted(path for dist in dists for path in dist.iterdir() if path.name.endswith(ENDINGS))
    if not files:
        raise SystemExit(f"Type make wheel first: {', '.join(map(str, dists))} has neither wheels nor sdists.")
    projects: dict[str, list[Path]] = {}
    for file in files:
        own = folder / "simple" / project_of(file)
        own.mkdir(parents=True, exist_ok=True)
        projects.setdefault(project_of(file), []).append(Path(shutil.copy2(file, own)))
    for name, copies in projects.items():
        (folder / "simple" / name / "index.html").write_text(page([link(copy) for copy in copies]), "utf-8")
    listed = [f'<a href="{name}/">{name}</a><br>' for name in projects]
    (folder / "simple" / "index.html").write_text(page(listed), "utf-8")
    return list(projects)


def server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="INDEX", help="new folder for the index")
    parser.add_argument("dists", type=Path, nargs="+", metavar="DIST", help="folder with wheels and sdists")
    parser.add_argument("--port", type=int, help="serve it; 0: a free port")
    options = parser.parse_args()
    for name in write(options.folder, options.dists):
        print(f"{name}: {options.folder / 'simple' / name}")
    if options.port is not None:
        with server(options.folder, options.port) as serving:
            print(f"pip install --index-url http://127.0.0.1:{serving.server_address[1]}/simple PROJECT", flush=True)
            serving.serve_forever()


if __name__ == "__main__":
    main()
