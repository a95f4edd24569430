"""The classes of a fake ComfyUI that tests compare with and make themselves."""


class VideoInput:
    """comfy_api.latest.Input.Video."""


class VideoFromComponents(VideoInput):
    """ComfyUI's Create Video."""

    def __init__(self, components):
        self.components = components

    def get_components(self):
        return self.components

    def get_stream_source(self):
        raise AssertionError("its frames are in memory")

    def save_to(self, path, format="auto", codec="auto", metadata=None):
        raise AssertionError("its frames are in memory")


class VideoFromFile(VideoInput):
    """ComfyUI's Load Video; it records what it is asked to encode."""

    saved = []

    def __init__(self, file):
        self.file = file

    def get_components(self):
        raise AssertionError("all frames would be in memory")

    def get_stream_source(self):
        return self.file

    def save_to(self, path, **options):
        self.saved.append((self.file, path, options))


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message
