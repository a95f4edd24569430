"""The HTML of `sonic check --html`: it makes no request, and its policy allows only the style and script below."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from ..printable import printable
from ..translation import terminal_language, translated
from .result import Result

TITLE = "sonic check"
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


HEAD = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>{below}</header>
<main><table>
<thead><tr>{columns}</tr></thead>
<tbody>
"""
ROW = """<tr class="{kind}"><td>{path}</td><td data-sort="{rank}"><b>{verdict}</b>{failed}</td>\
<td class="number" data-sort="{score:.2f}">{score:.0f}</td><td class="number" data-sort="{rank_quality}">{quality}</td>\
<td data-sort="{reasons}">{advice}</td><td>{pictures}</td></tr>
"""
TAIL = """</tbody>
</table></main>
<footer>{summary}</footer>
<script>{script}</script>
</body>
</html>
"""


def said(message: str) -> str:
    """A message of ours in the reader's language, without markup."""
    return text(translated(message, terminal_language()))


def head(profile: str) -> str:
    legend = said(f"Profile {profile}. Red to yellow: traces of JPEG compression.")
    return table_head(TITLE, STYLE, legend, COLUMNS, f'<th scope="col">{said("Picture, heat map")}</th>')


def table_head(title: str, style: str, below: str, columns: Iterable[str], more: str = "") -> str:
    """A page up to the first row of its table, whose policy allows `style` and SCRIPT only. below: HTML below the
    title. columns: names of those that can be sorted. more: the head cells of others."""
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    cells = "".join(f'<th scope="col"><button type="button">{said(name)}</button></th>' for name in columns)
    return HEAD.format(
        language=terminal_language(), policy=policy, title=title, style=style, below=below, columns=cells + more
    )


def table_row(result: Result) -> str:
    verdict = result.verdict
    kind, quality = verdict["verdict"], verdict["jpeg_quality"]
    is_below = kind in ("ok", "warn") and not verdict["passed"]
    return ROW.format(
        kind=escape(kind),
        path=text(verdict["path"]),
        rank=VERDICTS.index(kind),
        verdict=said(kind),
        failed=" " + said("(below the minimum score)") if is_below else "",
        score=verdict["score"],
        rank_quality=quality or 101,
        quality=quality or "",
        reasons=len(verdict["reasons"]),
        advice="".join(f"<p>{said(reason['advice'])}</p>" for reason in verdict["reasons"]),
        pictures=image(result.thumbnail, said("picture")) + image(result.heat, said("heat map")),
    )


def text(foreign: str) -> str:
    """Text that others wrote, without markup and without characters that reorder or hide what is beside it."""
    return escape(printable(foreign))


def image(data: bytes | None, name: str) -> str:
    return f'<img alt="{name}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">' if data else ""


def tail(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    parts = ", ".join(f"{count} {said(kind)}" for kind, count in counts.items() if count)
    summary = f"{total} picture{'s' if total != 1 else ''}: {parts}."
    return TAIL.format(summary=said(summary), script=SCRIPT)
