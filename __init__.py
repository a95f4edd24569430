"""What ComfyUI imports when this folder is in custom_nodes. Importing it only warns when Python or ComfyUI is too old;
the work is in `comfy_entrypoint`, which a ComfyUI that is too old never calls."""

WEB_DIRECTORY = "./sonic_nodes/web"

# pytest imports this file without a package when the folder's name, like sonic-talking-portrait, is no identifier
if __package__:
    from .sonic_nodes.extension.versions import warn_of_old_comfyui

    warn_of_old_comfyui()


async def comfy_entrypoint():
    """Called once by ComfyUI; returns the extension that lists the nodes."""
    from .sonic_nodes.nodes.extension import SonicExtension

    return SonicExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
