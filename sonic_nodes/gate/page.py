"""The HTML of `sonic check --html`: it makes no request, and its policy allows only the style and script below."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from ..printable import printable
from .result import Result

VERDICTS = ("ok", "warn", "reject", "unreadable")
STYLE = """
:root{color-scheme:light dark}
body{display:flex;flex-direction:column;margin:2em auto;max-width:80em;padding:0 1em}
body{font:15px/1.45 system-ui,sans-serif}
footer{order:-1}header{order:-2}h1{font-size:1.4em;margin:0}
table{border-collapse:collapse;margin-top:1em}
th,td{padding:.4em .7em;border-bottom:1px solid #8884;text-align:left;vertical-align:top}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid}
th[aria-sort=ascending] button::after{content:" \\25B2"}th[aria-sort=descending] button::after{content:" \\25BC"}
td:first-child{overflow-wrap:anywhere;max-width:20em}td p{margin:0 0 .3em}
img{max-width:144px;max-height:144px;margin-right:4px}td:last-child{white-space:nowrap}
.ok b{color:#2a8f3c}.warn b{color:#b7791f}.reject b{color:#d03030}.unreadable b{color:#777}
.number{text-align:right;font-variant-numeric:tabular-nums}
"""
SCRIPT = """
const body = document.querySelector("tbody");
document.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
  const head = button.parentElement, column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  document.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
  const compare = new Intl.Collator(undefined, {numeric: true}).compare;
  const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
  body.append(...rows);
}));
"""
COLUMNS = ("Picture", "Verdict", "Score", "JPEG quality", "What to do")


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{digest(STYLE)}'; script-src 'sha256-{digest(SCRIPT)}'; "
    "base-uri 'none'; form-action 'none'"
)


def head(profile: str) -> str:
    columns = "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in COLUMNS)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>sonic check</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>sonic check</h1>Profile {escape(profile)}. Red to yellow: traces of JPEG compression.</header>\n"
        f'<main><table>\n<thead><tr>{columns}<th scope="col">Picture, heat map</th></tr></thead>\n<tbody>\n'
    )


def table_row(result: Result) -> str:
    verdict = result.verdict
    kind, quality = verdict["verdict"], verdict["jpeg_quality"]
    advice = "".join(f"<p>{text(reason['advice'])}</p>" for reason in verdict["reasons"])
    failed = " (below the minimum score)" if kind in ("ok", "warn") and not verdict["passed"] else ""
    pictures = image(result.thumbnail, "picture") + image(result.heat, "heat map")
    return (
        f'<tr class="{escape(kind)}"><td>{text(verdict["path"])}</td>'
        f'<td data-sort="{VERDICTS.index(kind)}"><b>{escape(kind)}</b>{failed}</td>'
        f'<td class="number" data-sort="{verdict["score"]:.2f}">{verdict["score"]:.0f}</td>'
        f'<td class="number" data-sort="{quality or 101}">{quality or ""}</td>'
        f'<td data-sort="{len(verdict["reasons"])}">{advice}</td><td>{pictures}</td></tr>\n'
    )


def text(foreign: str) -> str:
    """Text that others wrote, without markup and without characters that reorder or hide what is beside it."""
    return escape(printable(foreign))


def image(data: bytes | None, name: str) -> str:
    return f'<img alt="{name}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">' if data else ""


def tail(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    parts = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    summary = f"{total} picture{'s' if total != 1 else ''}: {parts}."
    return f"</tbody>\n</table></main>\n<footer>{summary}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
