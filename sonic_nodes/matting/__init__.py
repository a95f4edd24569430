"""Who is in front of the background: segmentation, refined edges, another background. Computed in csrc/matting."""
