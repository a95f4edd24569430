"""The HTML report of a batch: one file that makes no request. Pictures are kept once for each portrait, as classes of
the style, and each consent once, below the table, so that a thousand videos of one face do not hold them a thousand
times."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from ..gate.page import SCRIPT, STYLE, said, table_head, text

MAX_PICTURES = 2000  # of a report; further portraits are named only
COLUMNS = ("Row", "Portrait", "Recording", "Video", "Status", "Verdict", "Seconds", "Time", "Consent", "What to do")
ORDER = ("failed", "bad", "running", "waiting", "done", "skipped")
OWN_STYLE = """
.picture{display:inline-block;width:72px;height:72px;background:center/contain no-repeat;vertical-align:top}
.failed b,.bad b{color:#d03030}.done b,.skipped b{color:#2a8f3c}.waiting b,.running b{color:#777}
td.long{overflow-wrap:anywhere;max-width:20em}
dt{font-family:monospace;overflow-wrap:anywhere;margin-top:1em}dd{white-space:pre-wrap}
"""
ROW = """<tr class="{kind}"><td class="number">{row}</td><td class="long">{picture}{portrait}</td>\
<td class="long">{speech}</td><td class="long">{video}</td><td data-sort="{rank}"><b>{status}</b></td>\
<td data-sort="{score}">{verdict}</td><td class="number">{duration}</td><td class="number">{seconds}</td>\
<td>{consents}</td><td data-sort="{problems}">{advice}</td></tr>
"""
TABLE_END = "</tbody>\n</table>\n"
CONSENT = '<dt id="c{sha256}">SHA-256 {sha256}{until}</dt><dd>{text}</dd>\n'
TAIL = """</main>
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
    yield table_head("sonic batch", STYLE + OWN_STYLE + classes, said(summary), COLUMNS)
    consents: dict[str, Mapping] = {}
    for row in rows:
        consents.update({consent["sha256"]: consent for consent in row.get("consents", ())})
        yield table_row(row, numbers.get(row["portrait"]))
    yield TABLE_END
    if consents:
        yield f"<h2>{said('Consents')}</h2>\n<dl>\n"
        for consent in consents.values():
            yield consent_entry(consent)
        yield "</dl>\n"
    yield TAIL.format(script=SCRIPT)


def consent_entry(consent: Mapping) -> str:
    """consent: Consent.record."""
    until = ", " + said(f"valid until {consent['until']}") if "until" in consent else ""
    return CONSENT.format(sha256=consent["sha256"], until=until, text=text(consent["text"]))


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
        consents=" ".join(f'<a href="#c{c["sha256"]}">{c["sha256"][:8]}</a>' for c in row.get("consents", ())),
        problems=bool(row.get("error")) + len(row.get("notes") or ()),
        advice="".join(f"<p>{said(note)}</p>" for note in [row.get("error"), *(row.get("notes") or ())] if note),
    )
