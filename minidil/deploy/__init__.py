"""Trained models out of minidil, and back. In come a model and a file's name, out goes a file that other programs read; or a
model in return for such a file. The libraries that know the formats come with `pip install "minidil[deploy]"`.
"""

from minidil.deploy.onnx_export import to_onnx
from minidil.deploy.onnx_import import OnnxModel, from_onnx
from minidil.deploy.safetensors_export import save_safetensors

__all__ = ["OnnxModel", "from_onnx", "save_safetensors", "to_onnx"]
