"""The ComfyUI nodes, one file each with schema, tooltips and checks. They compute nothing themselves, and no other
folder imports ComfyUI."""
