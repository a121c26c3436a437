"""Trained models at work, and out of minidil. A model comes in; what goes out computes the same with less, answers sample by
sample or at every position, or is a file that other programs read.

`compile` makes an inference plan of it: `plan(x)` is the model in evaluation mode, and `print(plan)` says what was fused.
`quantize` makes one in whole numbers. The libraries that know the formats of others come with `pip install "minidil[deploy]"`.
"""

from minidil.deploy.calibration import CALIBRATIONS, fake_quantized, quantize
from minidil.deploy.compiler import compile
from minidil.deploy.dense import Dense, dense, shifted
from minidil.deploy.onnx_export import to_onnx
from minidil.deploy.onnx_import import OnnxModel, from_onnx
from minidil.deploy.prune import Masks, Pruned, batch_norm_penalty, load_pruned, magnitude, prune_channels, save_pruned
from minidil.deploy.quantized import Quantized, run_reference
from minidil.deploy.quantized_file import load_quantized, save_quantized
from minidil.deploy.safetensors_export import save_safetensors
from minidil.deploy.stream import Stream, stream

__all__ = [
    "CALIBRATIONS",
    "Dense",
    "Masks",
    "OnnxModel",
    "Pruned",
    "Quantized",
    "Stream",
    "batch_norm_penalty",
    "compile",
    "dense",
    "fake_quantized",
    "from_onnx",
    "load_pruned",
    "load_quantized",
    "magnitude",
    "prune_channels",
    "quantize",
    "run_reference",
    "save_pruned",
    "save_quantized",
    "save_safetensors",
    "shifted",
    "stream",
    "to_onnx",
]
