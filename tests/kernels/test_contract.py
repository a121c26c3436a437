"""Every backend offers what the contract lists: each kernel, with its parameters in order, and nothing else."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import minidil as md
from minidil.errors import BackendError
from minidil.kernels import cpu, reference
from minidil.kernels.backend import use
from minidil.kernels.contract import GROUPS, KERNELS, Kernels
from minidil.kernels.cuda.target import problem

HOUSE = Path(md.__file__).parent / "kernels"
SIZES = {"axis": 0, "axes": (1, 0), "keepdims": True, "constant_values": 1, "shape": (4, 1), "width": [(1, 0), (0, 1)]}

# What a backend can do at the end of a kernel and no op asks for.
BEYOND = {("cuda", "conv_forward"): [("relu", False)]}


@pytest.fixture(params=["numpy", "numba", "cuda"])
def kernels(request, monkeypatch):
    if request.param == "cuda":
        if missing := problem("emulator"):
            pytest.skip(f"cuda {missing}")
        monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    return use.found(request.param)


def parameters(function):
    """Names and defaults, in order."""
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.name != "self"]


def is_numpys_own(function):
    return isinstance(function, np.ufunc) or function.__module__.split(".")[0] == "numpy"


def test_every_kernel_has_the_parameters_of_the_contract_in_order(kernels):
    for name in KERNELS:
        function = getattr(kernels, name)
        if not is_numpys_own(function):
            beyond = BEYOND.get((kernels.name, name), [])
            wanted = parameters(getattr(Kernels, name))
            assert parameters(function) in (wanted, wanted + beyond), name


def test_a_backend_offers_nothing_else(kernels):
    assert set(vars(kernels)) == {"name", "hold", *KERNELS}
    with pytest.raises(BackendError, match=f"backend {kernels.name!r} has no kernel 'patches'"):
        _ = kernels.patches


def test_what_numpy_offers_under_its_own_names_takes_the_arguments_of_the_contract():
    """All of them at once, in order or by name as the contract has it; the names of NumPy's first ones are its own."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for name in KERNELS:
        function = getattr(reference, name)
        if not is_numpys_own(function):
            continue
        given = inspect.signature(getattr(Kernels, name)).parameters.values()
        one = {**SIZES, "low": 0.0, "high": 1.0, "condition": x > 1, "arrays": [x, x]}
        values = [(p, one.get(p.name, x)) for p in given if p.name != "self"]
        by_order = [value for p, value in values if p.kind is not p.KEYWORD_ONLY]
        by_name = {p.name: value for p, value in values if p.kind is p.KEYWORD_ONLY}
        assert isinstance(function(*by_order, **by_name), np.ndarray), name
        named = {p.name: value for p, value in values if p.kind is not p.POSITIONAL_ONLY}
        first = [value for p, value in values if p.kind is p.POSITIONAL_ONLY]
        np.testing.assert_array_equal(function(*first, **named), function(*by_order, **by_name), name)


def test_each_kernel_is_in_one_group_and_says_what_it_means():
    assert len(set(KERNELS)) == len(KERNELS) == sum(len(listed(group)) for group in GROUPS)
    for kernel in KERNELS:
        assert inspect.getdoc(getattr(Kernels, kernel)), kernel


def listed(group):
    return [name for name in vars(group) if not name.startswith("_")]


def test_the_namespaces_list_what_they_offer():
    assert reference.__all__ == list(KERNELS)
    assert set(cpu.__all__) < set(KERNELS)
    for module in (reference, cpu):
        assert all(callable(getattr(module, name)) for name in module.__all__)
        made = {name for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_"}
        assert made - {"offered"} <= set(KERNELS)


def written(line, pattern):
    return {found.group(0) for found in re.finditer(pattern, line)}


def where(function):
    """The file of a kernel, seen from the folder of the kernels; NumPy for its own functions."""
    if is_numpys_own(function):
        return "np"
    return Path(inspect.getfile(inspect.unwrap(function))).relative_to(HOUSE).as_posix()


def test_the_files_that_stand_below_active_are_where_its_kernels_are_written():
    below = re.findall(
        r"^    \w+_(?:is|are)_in: .* = (.*)  # (.*)$",
        inspect.getsource(import_module("minidil.kernels.backend")),
        re.MULTILINE,
    )
    assert len(below) == len(GROUPS)
    for group, (code, cuda_files) in zip(GROUPS, below, strict=True):
        named = {f"{name.replace('.', '/')}.py" for name in written(code, r"(reference|cpu)\.\w+")} | written(
            code, r"np"
        )
        found = {where(getattr(use.found(name), kernel)) for name in ("numpy", "numba") for kernel in listed(group)}
        assert found == named, group
        if not problem("emulator"):
            offers = import_module("minidil.kernels.cuda.namespace")
            assert {where(getattr(offers, kernel)) for kernel in listed(group)} == set(cuda_files.split(", ")), group
