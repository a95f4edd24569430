"""MediaPipe's original segmentation model run by LiteRT, for comparison; shares no code with the package.

    pip install ai-edge-litert pillow safetensors tflite
    python -m tests.oracles.person_oracle MODELS        # records tests/matting/oracle.safetensors again

The model's last operator is one of MediaPipe's own, Convolution2DTransposeBias, which LiteRT lacks: a transposed
convolution of 2x2 at stride 2, where padding has no effect. TensorFlow's TRANSPOSE_CONV stands in its place here.
"""

import sys
from pathlib import Path

import numpy as np

SIDE_PX = 256
RECORD = Path(__file__).resolve().parents[1] / "matting" / "oracle.safetensors"


def standard_model(data: bytes) -> bytes:
    """The same model with TensorFlow's operator as its last convolution."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    code = next(i for i, c in enumerate(model.operatorCodes) if c.customCode == b"Convolution2DTransposeBias")
    operator = next(o for o in graph.operators if o.opcodeIndex == code)
    entry = model.operatorCodes[code]
    entry.customCode, entry.version = None, 3  # from version 3 on it takes a bias
    entry.builtinCode = entry.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
    shape = schema.TensorT()
    shape.name, shape.shape, shape.type, shape.buffer = b"shape", [4], schema.TensorType.INT32, len(model.buffers)
    size = schema.BufferT()
    size.data = np.frombuffer(np.array([1, SIDE_PX, SIDE_PX, 1], "<i4").tobytes(), np.uint8)
    model.buffers.append(size)
    graph.tensors.append(shape)
    x, weight, bias = operator.inputs
    operator.inputs = [len(graph.tensors) - 1, weight, x, bias]
    operator.customOptions, operator.builtinOptionsType = None, schema.BuiltinOptions.TransposeConvOptions
    options = operator.builtinOptions = schema.TransposeConvOptionsT()
    options.padding, options.strideW, options.strideH = schema.Padding.VALID, 2, 2
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Oracle:
    def __init__(self, model: Path):
        from ai_edge_litert.interpreter import Interpreter

        self.net = Interpreter(model_content=standard_model(model.read_bytes()), num_threads=1)
        self.net.allocate_tensors()

    def mask(self, picture: np.ndarray) -> np.ndarray:
        """uint8 [256, 256, 3] -> float32 [256, 256]."""
        self.net.set_tensor(self.net.get_input_details()[0]["index"], (picture / np.float32(255))[None])
        self.net.invoke()
        return self.net.get_tensor(self.net.get_output_details()[0]["index"])[0, :, :, 0].copy()


def main(folder: Path):
    from PIL import Image
    from safetensors.numpy import save_file

    from tools import convert_person_model

    sample = Path(__file__).resolve().parents[2] / "sonic_nodes" / "assets" / "sample" / "portrait.jpg"
    half = np.asarray(Image.open(sample).convert("RGB").resize((128, 128), Image.Resampling.BOX))
    mask = Oracle(convert_person_model.lay_model(folder)).mask(half.repeat(2, 0).repeat(2, 1))
    save_file({"half_u8": np.ascontiguousarray(half), "mask": np.ascontiguousarray(mask[::2, ::2])}, RECORD)
    print(f"{RECORD}: {mask.mean():.4f} of the picture is the person")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
