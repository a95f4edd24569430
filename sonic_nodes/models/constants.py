"""Frame rates and block sizes that the networks were trained with; csrc/core/video_rates.h has the same values."""

FPS = 25  # video frames a second
LATENT_FPS = 12.5  # latent frames a second: one for every two video frames
WINDOW = 25  # latent frames that the UNet processes together
CHUNK = 8  # latent frames that the VAE decoder processes together
