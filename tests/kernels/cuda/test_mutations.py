"""Without any one of its barriers or bound checks, a kernel gives a wrong result or the emulator reports it."""

import ast
import os
import subprocess
import sys
from importlib import import_module

import pytest
from cuda_cases import CASES, Hosted
from cuda_mutations import SUITES, Site, load, sites, without

from minidil.errors import BackendError

pytestmark = pytest.mark.long
ALL = [site for module in SUITES for site in sites(module)]
# Conditions that could always hold: they say what is meant, and another one refuses the same.
IDLE = {
    ("window", "position", 0): "the division by 1 that it saves changes nothing",
    ("conv", "looked_up", 0): "the shift by 0 that it saves changes nothing",
    ("tiles", "share", 0): "it chooses which thread brings a number, and every choice brings all",
}
# Pieces of kernels that not all versions contain; a version is named at the end of its kernel.
VERSIONS = ("tiled", "registers", "fast")
PIECES = {"convolved": "naive", "starting_quad": "registers", "starting_block": "registers", "looked_up": "fast"}
PIECES |= {"into": "fast", "share": "fast", "store_quad": "registers", "store_block": "registers", "entry": "tiled"}


def check(site_or_module, copies):
    """Run all cases that reach the module, in the versions that the site belongs to."""
    module = site_or_module.module if isinstance(site_or_module, Site) else site_or_module
    versions = VERSIONS if module in ("gemm", "conv", "conv_weight", "tiles", "window") else ("tiled",)
    if isinstance(site_or_module, Site):
        function = site_or_module.function
        last = function.rpartition("_")[2]
        versions = (
            (last,)
            if last in choice().kernel_version.names
            else (PIECES[function],)
            if function in PIECES
            else versions
        )
    # The last copies first: those of `gemm` and `conv` hold the functions of arrays.
    kernels = Hosted(*reversed(copies), import_module("minidil.kernels.cuda.namespace"))
    for version in versions:
        with choice().kernel_version(version):
            for cases in SUITES[module][1]:
                for case in CASES[cases]():
                    case(kernels)


def choice():
    return import_module("minidil.kernels.cuda.choice")


@pytest.mark.parametrize("module", SUITES)
def test_copies_with_all_of_them_pass(module, monkeypatch):
    check(module, load(module, monkeypatch))


@pytest.mark.parametrize("site", ALL, ids=str)
def test_without_one_it_is_noticed(site, monkeypatch):
    copies = load(site.module, monkeypatch, without(site))
    if site.kind == "condition" and (site.module, site.function, site.number) in IDLE:
        check(site, copies)
    else:
        with pytest.raises((AssertionError, BackendError)):
            check(site, copies)


def test_copies_leave_no_kernels_behind():
    script = """
import sys, pytest
from cuda_mutations import load
with pytest.MonkeyPatch.context() as patch:
    load("tiles", patch)
    from minidil.kernels.cuda import namespace
from minidil.kernels.cuda import gemm
assert namespace.gemm is gemm, "the backend multiplies by the copy"
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_there_are_barriers_and_bounds():
    assert sum(site.kind == "barrier" for site in ALL) >= 20
    assert {site.module for site in ALL} == {*SUITES}
    conditions = {(site.module, site.function, site.number) for site in ALL if site.kind == "condition"}
    assert {*IDLE} <= conditions


def test_a_name_survives_another_wording(monkeypatch):
    import cuda_mutations

    named = {module: sites(module) for module in SUITES}
    trees = {module: cuda_mutations._tree(module) for module in SUITES}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in ("kernel", "inline", "cuda", "thread_index"):
                node.id += "_renamed"
    monkeypatch.setattr(cuda_mutations, "_tree", trees.__getitem__)
    assert {module: sites(module) for module in SUITES} == named
