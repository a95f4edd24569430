"""The invisible watermark of finished videos: 32 bits in every frame (csrc/watermark), written when a video is encoded,
read from any few seconds of it."""
