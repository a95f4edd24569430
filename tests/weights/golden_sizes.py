"""The sizes of the golden files' networks, for sonic_nodes/weights/shapes.py."""

SMALL = (32, 32, 64, 64)
SIZES = {
    "unet": {"channels": SMALL, "context": 32, "ids": 16},
    "audio2token": {"states": 1600, "hidden": 48, "tokens": 8, "dim": 32},
    "audio2bucket": {"states": 1600, "image": 32, "hidden": 48},
    "whisper": {"d": 32, "inner": 64},
    "vae": {"channels": SMALL},
    "clip_vision": {"d": 32, "layers": 2, "inner": 64, "tokens": 17, "out": 32},
    "rife": {},
}
FILES = {
    "unet": ["unet_tiny_weights_a", "unet_tiny_weights_b"],
    "audio2token": ["audio_adapters_tiny"],
    "audio2bucket": ["audio_adapters_tiny"],
    "whisper": ["whisper_tiny_enc"],
    "vae": ["vae_tiny_weights"],
    "clip_vision": ["clip_tiny"],
    "rife": ["rife_ifnet"],
}
