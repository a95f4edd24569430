"""The command `sonic smooth`."""

import json
import sys

from ..errors import UsageError
from ..media.files import is_same_file
from ..smooth.file import smooth_file


def run(arguments) -> int:
    if not 0 <= arguments.strength <= 1:
        raise UsageError(f"Choose a --strength from 0 to 1: it is {arguments.strength}.")
    if is_same_file(arguments.output, arguments.video):
        raise UsageError(f"Choose another --output: {arguments.output!r} is the input video.")
    result = smooth_file(
        arguments.video, arguments.output, arguments.strength, not arguments.no_protect_mouth, arguments.lossless
    )
    print(f"sonic: {result['reason']}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else result["output"])
    return 0
