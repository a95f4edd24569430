"""What ComfyUI imports when this folder sits in custom_nodes. It says when Python or ComfyUI is too old, and does
nothing else: the work is in `comfy_entrypoint`, which a ComfyUI that is too old never calls."""

WEB_DIRECTORY = "./sonic_nodes/web"

# pytest imports this file by itself when the folder's name is no Python name, as sonic-talking-portrait is none
if __package__:
    from .sonic_nodes.extension.versions import warn_of_old_comfyui

    warn_of_old_comfyui()


async def comfy_entrypoint():
    """Called once by ComfyUI; returns the extension that lists the nodes."""
    from .sonic_nodes.nodes.extension import SonicExtension

    return SonicExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
