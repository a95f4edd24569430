"""The HTML report of a batch: one file that makes no request. Pictures are kept once for each portrait, as classes of
the style, so that a thousand videos of one face do not hold it a thousand times."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from ..gate.page import SCRIPT, STYLE, digest, said, text
from ..translation import terminal_language

MAX_PICTURES = 2000  # of a report; further portraits are named only
COLUMNS = ("Row", "Portrait", "Recording", "Video", "Status", "Verdict", "Seconds", "Time", "What to do")
ORDER = ("failed", "bad", "running", "waiting", "done", "skipped")
OWN_STYLE = """
.picture{display:inline-block;width:72px;height:72px;background:center/contain no-repeat;vertical-align:top}
.failed b,.bad b{color:#d03030}.done b,.skipped b{color:#2a8f3c}.waiting b,.running b{color:#777}
td.long{overflow-wrap:anywhere;max-width:20em}
"""
HEAD = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>sonic batch</title>
<style>{style}</style>
</head>
<body>
<header><h1>sonic batch</h1>{summary}</header>
<main><table>
<thead><tr>{columns}</tr></thead>
<tbody>
"""
ROW = """<tr class="{kind}"><td class="number">{row}</td><td class="long">{picture}{portrait}</td>\
<td class="long">{speech}</td><td class="long">{video}</td><td data-sort="{rank}"><b>{status}</b></td>\
<td data-sort="{score}">{verdict}</td><td class="number">{duration}</td><td class="number">{seconds}</td>\
<td data-sort="{problems}">{advice}</td></tr>
"""
TAIL = """</tbody>
</table></main>
<script>{script}</script>
</body>
</html>
"""


def pages(rows: Iterable[Mapping], pictures: Mapping[str, bytes], summary: str) -> Iterable[str]:
    """The report in parts. pictures: {portrait: its thumbnail, a JPEG file}; rows: those of Display.rows."""
    numbers = {portrait: number for number, portrait in enumerate(list(pictures)[:MAX_PICTURES])}
    classes = "".join(
        f".p{number}{{background-image:url(data:image/jpeg;base64,{base64.b64encode(pictures[portrait]).decode()})}}\n"
        for portrait, number in numbers.items()
    )
    style = STYLE + OWN_STYLE + classes
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    columns = "".join(f'<th scope="col"><button type="button">{said(name)}</button></th>' for name in COLUMNS)
    yield HEAD.format(language=terminal_language(), policy=policy, style=style, summary=said(summary), columns=columns)
    for row in rows:
        yield table_row(row, numbers.get(row["portrait"]))
    yield TAIL.format(script=SCRIPT)


def table_row(row: Mapping, picture: int | None) -> str:
    duration, seconds, score = row.get("duration_s"), row.get("seconds"), row.get("score")
    return ROW.format(
        kind=text(row["status"]),
        row=row["row"],
        picture="" if picture is None else f'<span class="picture p{picture}"></span> ',
        portrait=text(row["portrait"]),
        speech=text(row["speech"]),
        video=text(row["output"]),
        rank=ORDER.index(row["status"]),
        status=said(row["status"]),
        score="" if score is None else f"{score:.2f}",
        verdict=said(row.get("verdict") or "") + ("" if score is None else f" {score:.0f}"),
        duration="" if duration is None else f"{duration:.2f}",
        seconds="" if seconds is None else f"{seconds:.1f}",
        problems=bool(row.get("error")) + len(row.get("notes") or ()),
        advice="".join(f"<p>{said(note)}</p>" for note in [row.get("error"), *(row.get("notes") or ())] if note),
    )
