"""The command `sonic sign`."""

import json

from ..errors import UsageError
from ..media.files import is_same_file
from ..printable import printable
from ..provenance.signed_copy import sign_file
from .chosen_marks import needed_signer


def run(options) -> int:
    if options.output is not None and is_same_file(options.output, options.file):
        raise UsageError("Leave out --output to sign the file itself: both names are the same file.")
    result = sign_file(options.file, options.output or options.file, needed_signer(options))
    print(json.dumps(result) if options.json else printable(result["output"]))
    return 0
