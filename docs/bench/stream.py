"""How many samples a second go through a causal stack: streamed, computed anew, and beside PyTorch where it is installed.

python docs/bench/stream.py [channels]: a table in Markdown, of processor time on one thread; a minute.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

import minidil as md

LAYERS, WINDOW, ROUNDS = 10, 1024, 9
Contestant = tuple[int, Callable[[], object]]  # samples, and the call that computes them


def contestants(channels: int) -> dict[str, Contestant]:
    """Residual blocks with kernel 2 and dilations 1, 2, ..., 512, on pieces of several sizes."""
    model = md.nn.Sequential()
    for layer in range(LAYERS):
        conv = md.nn.Conv1d(channels, channels, 2, padding="causal", dilation=2**layer)
        conv.weight.data = conv.weight.numpy() * np.float32(0.3)
        model.append(md.nn.Residual(md.nn.Sequential(conv, md.nn.ReLU())))
    stream = md.deploy.stream(model.eval())
    x = np.random.default_rng(0).standard_normal((channels, 4096)).astype(np.float32)
    made: dict[str, Contestant] = {}
    for size in (1, 2, 6, 48, 1024):
        pieces = [x[:, at : at + size].copy() for at in range(0, 4096 if size > 2 else 1024, size)]
        made[f"stream, {size} at a time"] = (size * len(pieces), partial(each, stream.push, pieces))
    window = md.tensor(x[None, :, :WINDOW])

    def anew() -> object:
        with md.no_grad():
            return model(window)

    made[f"the last {WINDOW} anew for each sample"] = (1, anew)
    return made | (with_torch(model, x) if importlib.util.find_spec("torch") else {})


def with_torch(model: md.nn.Sequential, x: np.ndarray) -> dict[str, Contestant]:
    import torch

    torch.set_num_threads(1)
    layers = []
    for block in model:
        weight = torch.from_numpy(block.body[0].weight.numpy().copy())
        layers.append((weight, torch.from_numpy(block.body[0].bias.numpy().copy())))
    taps = [(weight[:, :, 0].contiguous(), weight[:, :, 1].contiguous(), bias) for weight, bias in layers]
    queues = [torch.zeros(2**layer, len(x)) for layer in range(LAYERS)]
    heads = [0] * LAYERS

    @torch.no_grad()
    def push(sample: torch.Tensor) -> torch.Tensor:
        for layer, (first, second, bias) in enumerate(taps):
            head = heads[layer]
            old = queues[layer][head].clone()
            queues[layer][head] = sample
            heads[layer] = (head + 1) % 2**layer
            sample = sample + torch.relu(torch.addmv(torch.addmv(bias, first, old), second, sample))
        return sample

    @torch.no_grad()
    def anew(y: torch.Tensor) -> torch.Tensor:
        for layer, (weight, bias) in enumerate(layers):
            padded = torch.nn.functional.pad(y, (2**layer, 0))
            y = y + torch.relu(torch.nn.functional.conv1d(padded, weight, bias, dilation=2**layer))
        return y

    samples = list(torch.from_numpy(x[:, :500].T.copy()))
    window = torch.from_numpy(x[None, :, :WINDOW].copy())
    return {
        f"PyTorch {torch.__version__}, eager, queues": (len(samples), partial(each, push, samples)),
        f"PyTorch {torch.__version__}, eager, the last {WINDOW} anew": (1, partial(anew, window)),
    }


def each(call: Callable[..., object], pieces: list[object]) -> None:
    for piece in pieces:
        call(piece)


def main(channels: int) -> None:
    md.set_num_threads(1)
    taken: dict[str, list[float]] = {}
    runs = contestants(channels)
    for number in range(ROUNDS + 1):  # the first does not count: it compiles, and fills the caches
        for name, (_, call) in runs.items():
            start = time.process_time()
            call()
            if number:
                taken.setdefault(name, []).append(time.process_time() - start)
    print(f"| {channels} channels, {LAYERS} layers, d = 1 ... {2 ** (LAYERS - 1)} | samples a second, median | best |")
    print("| --- | --- | --- |")
    for name, seconds in taken.items():
        samples = runs[name][0]
        print(f"| {name} | {samples / median(seconds):,.0f} | {samples / min(seconds):,.0f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
