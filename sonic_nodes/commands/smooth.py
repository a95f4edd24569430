"""The command `sonic smooth`."""

import json

from ..errors import UsageError
from ..media.files import is_same_file
from ..printable import printable
from ..smooth.file import smooth_file
from .chosen_marks import signer_of_options
from .streams import say


def run(arguments) -> int:
    if not 0 <= arguments.strength <= 1:
        raise UsageError(f"Choose a --strength from 0 to 1: it is {arguments.strength}.")
    if is_same_file(arguments.output, arguments.video):
        raise UsageError(f"Choose another --output: {arguments.output!r} is the input video.")
    result = smooth_file(
        arguments.video,
        arguments.output,
        arguments.strength,
        not arguments.no_protect_mouth,
        arguments.lossless,
        signer_of_options(arguments),
    )
    say(f"sonic: {printable(result['reason'])}")
    print(json.dumps(result) if arguments.json else printable(result["output"]))
    return 0
