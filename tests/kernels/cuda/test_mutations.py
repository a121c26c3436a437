"""Without any one of its barriers or bound checks, a kernel gives a wrong result or the emulator reports it."""

from importlib import import_module

import pytest
from cuda_cases import CASES, Hosted
from cuda_mutations import SUITES, Site, load, sites, without

from minidil.errors import BackendError

pytestmark = pytest.mark.long
ALL = [site for module in SUITES for site in sites(module)]
# Conditions that could always hold: they say what is meant, and another one refuses the same.
IDLE = {
    ("window", "output", "reach >= int32(0)"): "a negative reach leads to an output that is negative or far too large",
    (
        "generated",
        "conv_grad_input",
        "not v < low",
    ): "a gradient is never rectified; the skeleton of the forward pass is",
}


def check(site_or_module, copies):
    """Run all cases that reach the module, in the version that the module belongs to."""
    module = site_or_module.module if isinstance(site_or_module, Site) else site_or_module
    version = "fast" if module == "generated" else "readable"
    namespace = import_module("minidil.kernels.cuda.namespace")
    # The last copies first: `conv` has functions of arrays under the names of the kernels in `generated`.
    kernels = Hosted(*reversed(copies), namespace)
    with import_module("minidil.kernels.cuda.choice").kernel_version(version):
        for cases in SUITES[module][1]:
            for case in CASES[cases]():
                case(kernels)


@pytest.mark.parametrize("module", SUITES)
def test_copies_with_all_of_them_pass(module, monkeypatch):
    check(module, load(module, monkeypatch))


@pytest.mark.parametrize("site", ALL, ids=str)
def test_without_one_it_is_noticed(site, monkeypatch):
    copies = load(site.module, monkeypatch, without(site))
    idle = (site.module, site.function, site.text) in IDLE
    if idle:
        check(site, copies)
    else:
        with pytest.raises((AssertionError, BackendError)):
            check(site, copies)


def test_there_are_barriers_and_bounds():
    assert sum("syncthreads" in site.text for site in ALL) >= 20
    assert {site.module for site in ALL} == {*SUITES}
