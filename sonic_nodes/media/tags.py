"""Tags of media files. PyAV up to version 18 stops at tags that are not UTF-8 unless told to replace the bytes; later
versions have no such option."""

import av

ANY_ENCODING = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}

# describe the file that was read, not its content
_FILE_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "encoding_tool")


def copyable_tags(container) -> dict[str, str]:
    """Tags of an open container that also hold for a copy in another file."""
    return {key: value for key, value in container.metadata.items() if key.lower() not in _FILE_TAGS}
