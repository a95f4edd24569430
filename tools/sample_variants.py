"""Makes further samples for the templates from the sample portrait:

    python -m tools.sample_variants [-o FOLDER] [--enlarged PICTURE]

portrait_large.jpg is made of PICTURE, portrait.jpg enlarged four times by ComfyUI's upscale nodes with
RealESRGAN_x4plus, and one part in four of the portrait itself, so that its face fills 1024 pixels.
poor.jpg is a small, heavily compressed copy of portrait.jpg. speech_es.wav and speech_zh.wav are the first sentences of
speech.wav in Spanish and Chinese, by the synthetic voices of eSpeak NG (`pip install espeakng-loader==0.2.4`).
"""

import argparse
import ctypes
import wave
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).resolve().parent.parent / "sonic_nodes" / "assets" / "sample"
POOR_SIZE, POOR_QUALITY = (256, 300), 30
LARGE_QUALITY, LARGE_SHARE = 88, 0.75  # of what the upscaling model made
SPEECH = {
    "es": ("es", "Hola. Soy un retrato que aprendió a hablar. Mi voz es sintética."),
    "zh": ("cmn", "你好。我是一幅学会说话的肖像。我的声音是合成的。"),
}
WORDS_PER_MINUTE = 150
SYNCHRONOUS, BY_CHARACTER, UTF_8, RATE = 2, 1, 1, 1  # espeak_AUDIO_OUTPUT, _POSITION_TYPE, flags, _PARAMETER
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Voice:
    """eSpeak NG's library; `rate` in Hz."""

    def __init__(self):
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        self.chunks = []
        self.callback = CALLBACK(self._take)
        self.library.espeak_SetSynthCallback(self.callback)

    def _take(self, samples, count, _events):
        if samples and count:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, voice: str, text: str) -> np.ndarray:
        """int16 mono."""
        self.chunks.clear()
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"eSpeak NG has no voice {voice}")
        self.library.espeak_SetParameter(RATE, WORDS_PER_MINUTE, 0)
        data = text.encode()
        self.library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, BY_CHARACTER, 0, UTF_8, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.chunks)


def write_speech(folder: Path) -> None:
    speaker = Voice()
    for language, (voice, text) in SPEECH.items():
        with wave.open(str(folder / f"speech_{language}.wav"), "wb") as file:
            file.setparams((1, 2, speaker.rate, 0, "NONE", ""))
            file.writeframes(speaker.say(voice, text).tobytes())


def poor_copy() -> Image.Image:
    return Image.open(SAMPLE / "portrait.jpg").convert("RGB").resize(POOR_SIZE, Image.Resampling.LANCZOS)


def large_copy(enlarged: Path) -> Image.Image:
    drawn, portrait = Image.open(enlarged).convert("RGB"), Image.open(SAMPLE / "portrait.jpg").convert("RGB")
    return Image.blend(portrait.resize(drawn.size, Image.Resampling.LANCZOS), drawn, LARGE_SHARE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=SAMPLE, help="folder of the files")
    parser.add_argument("--enlarged", type=Path, help="for portrait_large.jpg")
    options = parser.parse_args()
    folder = options.output
    if options.enlarged:
        large_copy(options.enlarged).save(folder / "portrait_large.jpg", quality=LARGE_QUALITY, optimize=True)
    poor_copy().save(folder / "poor.jpg", quality=POOR_QUALITY)
    write_speech(folder)


if __name__ == "__main__":
    main()
