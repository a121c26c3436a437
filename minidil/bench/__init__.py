"""Benchmarks: minidil beside other libraries, interleaved in one process, with the conditions written down."""

from minidil.bench import report
from minidil.bench.cases import CASES, ConvCase
from minidil.bench.contestants import LIBRARIES, installed
from minidil.bench.machine import Machine, describe, matmul_peak
from minidil.bench.memory import peak_memory
from minidil.bench.runs import bench_conv, bench_step
from minidil.bench.timing import Timing, interleave

__all__ = [
    "CASES",
    "LIBRARIES",
    "ConvCase",
    "Machine",
    "Timing",
    "bench_conv",
    "bench_step",
    "describe",
    "installed",
    "interleave",
    "matmul_peak",
    "peak_memory",
    "report",
]
