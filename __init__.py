"""What ComfyUI imports when this folder sits in custom_nodes. Importing it does nothing else: the work is in `comfy_entrypoint`."""

WEB_DIRECTORY = "./sonic_nodes/web"


async def comfy_entrypoint():
    """Called once by ComfyUI; returns the extension that lists the nodes."""
    from .sonic_nodes.nodes.extension import SonicExtension

    return SonicExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
