"""VIDEO of this pack: its frames are made, encoded and written chunk by chunk when a node saves it, with the label that
says that it is AI-generated."""

import os
import secrets
import shutil
from contextlib import closing

import folder_paths
from comfy_api.latest import Input, InputImpl, Types

from ..errors import InputError
from .common import Progress, executing_node, free_memory_bytes, lazy_import, shown_plainly
from .frame_streams import FileFrames, FrameStream, ImageFrames
from .video_file import is_plain, write_file

SUFFIX = ".mp4"
PYAV_FORMAT = "mov,mp4,m4a,3gp,3g2,mj2"  # as PyAV names the container of such a file


class SonicVideo(Input.Video):
    """frames: FrameStream. audio: AUDIO, or None for a silent video. tags: of the file, such as its label
    (media/provenance.py). packet: the XMP packet of the file that it comes from; without one it is made of the tags."""

    def __init__(self, frames: FrameStream, audio: dict | None, tags: dict[str, str], packet: bytes = b""):
        self.frames, self.audio, self.tags, self.packet, self._saved = frames, audio, tags, packet, None

    def with_frames(self, frames: FrameStream) -> "SonicVideo":
        return SonicVideo(frames, self.audio, self.tags, self.packet)

    def with_tags(self, tags: dict[str, str]) -> "SonicVideo":
        """Other tags also say what the packet says."""
        return self if tags == self.tags else SonicVideo(self.frames, self.audio, tags)

    def of_images(self, images) -> "SonicVideo":
        """The same clip, its frames in an IMAGE."""
        return self.with_frames(ImageFrames(images, self.frames.fps))

    def with_audio(self, audio: dict | None) -> "SonicVideo":
        return SonicVideo(self.frames, audio, self.tags, self.packet)

    def chunks(self, progress: Progress):
        """The frames, uint8 [n, H, W, 3]. progress: told after each chunk, and asked to stop while one is made."""
        with closing(self.frames.chunks(lambda *_: progress.check())) as made:
            yield from lazy_import("nodes.comfy_types").with_progress(made, self.frames.count, progress)

    def images(self, progress: Progress):
        """All frames as an IMAGE. ResourceError, before the work, when they do not fit into memory."""
        types, frames = lazy_import("nodes.comfy_types"), self.frames
        types.require_memory(frames.count, frames.height, frames.width, free_memory_bytes())
        # Before the first preview: the page draws text that arrives after a preview on top of it.
        progress.set_headline(f"{frames.count} frames of {frames.width}x{frames.height}")
        with closing(self.chunks(progress)) as chunks:
            return types.image_from_chunks(chunks, frames.count, frames.height, frames.width)

    def get_dimensions(self) -> tuple[int, int]:
        return self.frames.width, self.frames.height

    def get_duration(self) -> float:
        return self.frames.duration_s

    def get_frame_count(self) -> int:
        return self.frames.count

    def get_frame_rate(self):
        return self.frames.fps

    def get_container_format(self) -> str:
        return PYAV_FORMAT

    @shown_plainly
    def get_components(self):
        images = self.images(Progress(executing_node(), "Frames of a video"))
        return Types.VideoComponents(images=images, audio=self.audio, frame_rate=self.frames.fps)

    def get_stream_source(self) -> str:
        """The path of a file in ComfyUI's temporary folder, which ComfyUI empties when it starts."""
        if self._saved is None or not os.path.exists(self._saved):
            path = temporary_path()
            self.save_to(path)
            self._saved = path
        return self._saved

    @shown_plainly
    def save_to(self, path, format="auto", codec="auto", metadata=None, **encoding) -> None:
        """Writes an MP4 with H.264 and AAC, whole or not at all, to a path or an open file. metadata: ComfyUI's
        workflow and prompt. encoding: bit_depth, crf, color_space and preset of newer versions of ComfyUI. What is
        asked for beyond that, ComfyUI makes from such a file."""
        if not is_plain(format, codec, encoding):
            wanted = {name: value for name, value in encoding.items() if value is not None}
            source = InputImpl.VideoFromFile(self.get_stream_source())
            source.save_to(path, format=format, codec=codec, metadata=metadata, **wanted)
            return
        is_path = isinstance(path, (str, os.PathLike))
        target = os.fspath(path) if is_path else temporary_path()
        try:
            write_file(self, target, metadata or {}, encoding.get("crf"))
            if not is_path:
                with open(target, "rb") as file:
                    shutil.copyfileobj(file, path)
        finally:
            if not is_path and os.path.exists(target):
                os.remove(target)

    def as_trimmed(self, *arguments, **options):
        return InputImpl.VideoFromFile(self.get_stream_source()).as_trimmed(*arguments, **options)

    def as_cropped(self, *arguments, **options):
        return InputImpl.VideoFromFile(self.get_stream_source()).as_cropped(*arguments, **options)

    def as_resized(self, *arguments, **options):
        return InputImpl.VideoFromFile(self.get_stream_source()).as_resized(*arguments, **options)


def temporary_path() -> str:
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"sonic_{secrets.token_hex(8)}{SUFFIX}")


def opened(value) -> SonicVideo:
    """A VIDEO of any node. Its file is read while its frames are used, and its tags stay with them. Raises InputError
    for what cannot be read."""
    if isinstance(value, SonicVideo):
        return value
    types = lazy_import("nodes.comfy_types")
    if isinstance(value, InputImpl.VideoFromComponents):
        parts = value.get_components()
        return SonicVideo(ImageFrames(types.check_clip(parts.images, "video"), parts.frame_rate), parts.audio, {})
    clip = lazy_import("media.clip_file").open_clip(file_of(value))
    if clip.count > types.MAX_FRAMES:
        raise InputError(f"Shorten the video: it has {clip.count} frames, and the limit is {types.MAX_FRAMES}.")
    sound = clip.sound()
    return SonicVideo(FileFrames(clip), sound and types.audio_from_sound(sound), clip.tags, clip.packet)


def clip_of(value):
    """A VIDEO of any node as dub.clip.Clip: frames that are in memory stay there, others are read from a file, of which
    a video that is made when it is saved gets one. Raises InputError for what cannot be read."""
    video = opened(value) if isinstance(value, InputImpl.VideoFromComponents) else value
    if isinstance(video, SonicVideo) and isinstance(video.frames, ImageFrames):
        return lazy_import("nodes.image_clip").ImageClip(video.frames)
    return lazy_import("dub.clip").Clip(file_of(video))


def file_of(value) -> str:
    """The path of a file that shows the video as it is to be seen."""
    source = value.get_stream_source()
    window = value.get_active_trim_window() if hasattr(value, "get_active_trim_window") else (0, 0)
    is_edited = any(window) or (hasattr(value, "has_pending_frame_edits") and value.has_pending_frame_edits())
    if isinstance(source, str) and not is_edited:
        return source
    path = temporary_path()
    value.save_to(path)
    return path
