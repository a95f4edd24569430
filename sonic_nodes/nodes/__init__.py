"""ComfyUI's side: one file per node with its schema, tooltips and checks. Nothing under here computes; nothing else
imports ComfyUI."""
