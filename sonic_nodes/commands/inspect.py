"""The command `sonic inspect`: the free detector."""

import json

from ..provenance.inspection import inspected
from ..provenance.report import lines_of
from .streams import show


def run(options) -> int:
    found = inspected(options.file, options.trust)
    if options.json:
        print(json.dumps(found))
    else:
        show("\n".join(lines_of(found)))
    return 0
