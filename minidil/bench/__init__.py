"""Benchmarks: minidil beside other libraries, interleaved in one process, with the conditions written down."""

from minidil.bench import report
from minidil.bench.cases import CASES, ConvCase, LayerCase, layer_cases
from minidil.bench.contestants import LIBRARIES, installed
from minidil.bench.conv import bench_conv
from minidil.bench.inference import INFERENCE, bench_infer
from minidil.bench.layers import bench_layers
from minidil.bench.machine import Machine, describe, matmul_peak
from minidil.bench.memory import peak_memory
from minidil.bench.operations import COMPARED, OPERATIONS, bench_ops
from minidil.bench.results import Row
from minidil.bench.timing import WARM_UP, Timing, interleave
from minidil.bench.training import bench_step, bench_train

__all__ = [
    "CASES",
    "COMPARED",
    "INFERENCE",
    "LIBRARIES",
    "OPERATIONS",
    "WARM_UP",
    "ConvCase",
    "LayerCase",
    "Machine",
    "Row",
    "Timing",
    "bench_conv",
    "bench_infer",
    "bench_layers",
    "bench_ops",
    "bench_step",
    "bench_train",
    "describe",
    "installed",
    "interleave",
    "layer_cases",
    "matmul_peak",
    "peak_memory",
    "report",
]
