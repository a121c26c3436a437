"""The tables at the heads of `gemm`, `conv` and `conv_weight` are what is counted today; each version gains what it claims."""

import json
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from minidil.errors import OptionError
from minidil.kernels import reference
from minidil.kernels.cuda import emulate
from minidil.kernels.geometry import Window

STATIC = Path(__file__).parents[3] / "docs" / "cuda" / "static.json"
WINDOW = Window.of((8, 16), 3, padding=2, dilation=2)
A, B = np.random.default_rng(0).standard_normal((2, 64, 64), dtype=np.float32)
X, WEIGHT, GRAD = (
    np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    for shape in ((1, 16, 8, 16), (64, 16, 3, 3), (1, 64, 8, 16))
)
CALLS = {  # the module whose head has the table, and the call
    "matmul": ("gemm", (A, B)),
    "conv_forward": ("conv", (X, WEIGHT, WINDOW)),
    "conv_grad_input": ("conv", (GRAD, WEIGHT, WINDOW)),
    "conv_grad_weight": ("conv_weight", (X, GRAD, WINDOW)),
}


def module(name):
    return import_module(f"minidil.kernels.cuda.{name}")


@cache
def counted(name):
    """By version: instructions, bytes asked for, sectors, requests to shared memory, bank conflicts."""
    home, arguments = CALLS[name]
    rows = {}
    for chosen, one in module(home).VERSIONS.items():
        with module("choice").kernel_version(chosen), emulate() as report:
            found = getattr(module("namespace"), name)(*arguments)
        np.testing.assert_allclose(np.asarray(found), getattr(reference, name)(*arguments), rtol=1e-4, atol=1e-4)
        (launch,) = (launch for launch in report.launches if launch.kernel == one.kernel.name)
        counts = (launch.executed, launch.requested, launch.sectors, launch.requests)
        rows[chosen] = (*(int(count.sum()) for count in counts), launch.bank_conflicts)
    return rows


def table(name, rows):
    """Lines as they stand in the head of a module."""
    return [f"{name:<16} {'instructions':>12} {'bytes':>9} {'sectors':>8} {'shared':>8} {'conflicts':>9}"] + [
        f"    {chosen:<12} {a:12,} {b:9,} {c:8,} {d:8,} {e:9,}" for chosen, (a, b, c, d, e) in rows.items()
    ]


def same_compiler():
    return json.loads(STATIC.read_text(encoding="utf-8"))["tools"]["numba-cuda"] == version("numba-cuda")


@pytest.mark.long
@pytest.mark.parametrize("name", CALLS)
def test_the_tables_are_what_is_counted(name):
    home, rows = module(CALLS[name][0]), counted(name)
    lines, wanted = home.__doc__.splitlines(), table(name, rows)
    assert wanted[0] in lines
    start = lines.index(wanted[0])
    if same_compiler():
        assert "\n".join(lines[start : start + len(wanted)]) == "\n".join(wanted)
    else:  # another compiler may need an instruction more or less, but reads and writes the same
        found = [line.split()[2:] for line in lines[start + 1 : start + len(wanted)]]
        assert found == [line.split()[2:] for line in wanted[1:]]


@pytest.mark.long
@pytest.mark.parametrize("name", ["matmul", "conv_forward"])
def test_each_version_gains_what_its_line_says(name):
    rows = counted(name)
    instructions, sectors, shared = ({chosen: row[i] for chosen, row in rows.items()} for i in (0, 2, 3))
    assert sectors["naive"] > 6 * sectors["coalesced"] > 36 * sectors["tiled"]
    assert instructions["coalesced"] > 3 * instructions["tiled"] > 6 * instructions["registers"]
    assert instructions["registers"] > 1.5 * instructions["fast"]
    assert shared["tiled"] >= 4 * shared["registers"]
    assert shared["registers"] > 1.3 * shared["fast"] > 0


def test_a_kernel_without_a_version_takes_the_one_before():
    choice, versions = module("choice"), {"naive": 1, "tiled": 3, "fast": 5}
    taken = []
    for name in choice.kernel_version.names:
        with choice.kernel_version(name):
            taken.append(choice.rung(versions))
    assert taken == [1, 1, 3, 3, 5]
    assert choice.rung(versions) == 5
    with pytest.raises(OptionError, match=r"kernel_version: 'quick' is none of 'naive', 'coalesced', 'tiled'"):
        choice.kernel_version("quick")


def test_both_ladders_have_every_rung():
    choice = module("choice")
    for home in ("gemm", "conv"):
        versions = vars(module(home))["VERSIONS"]
        assert tuple(versions) == choice.kernel_version.names
        assert [one.kernel.name for one in versions.values()] == [f"{home}_{name}" for name in versions]
