"""Choosing a backend: for a block, for the rest of a context, for a thread; and what is said when there is no such thing."""

import contextvars
import subprocess
import sys
import threading
from textwrap import dedent

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil.errors import BackendError
from minidil.kernels import reference
from minidil.kernels.backend import active
from minidil.ops.elementwise import exp


def in_a_copy(function):
    """Run it in a copy of the context, so that no choice outlives the test."""
    return contextvars.copy_context().run(function)


def python(code):
    """Run code in a fresh interpreter; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numba_is_the_default_where_it_is_installed():
    assert md.backend() == "numba"
    assert active().name == "numba"


def test_a_block_sets_the_backend_and_puts_the_old_one_back():
    with md.use("numpy"):
        assert md.backend() == "numpy"
        with md.use("numba"):
            assert md.backend() == "numba"
            with md.use("numba"):
                pass
            assert md.backend() == "numba"
        assert md.backend() == "numpy"
    assert md.backend() == "numba"


def test_a_block_that_raises_puts_the_old_one_back():
    with pytest.raises(ZeroDivisionError), md.use("numpy"):
        _ = 1 / 0
    assert md.backend() == "numba"


def test_a_statement_sets_it_for_the_rest_of_the_context():
    def rest():
        md.use("numpy")
        first = md.backend()
        md.use("numba")
        md.use("numpy")
        return first, md.backend()

    assert in_a_copy(rest) == ("numpy", "numpy")
    assert md.backend() == "numba"


@pytest.mark.parametrize("name", ["cupy", "", "NumPy", "cuda "])
def test_an_unknown_backend_is_refused_and_the_active_one_stays(name):
    with md.use("numpy"):
        with pytest.raises(BackendError, match=f"unknown backend {name!r}; there are .*'numpy', 'numba'"):
            md.use(name)
        assert md.backend() == "numpy"


def test_a_missing_kernel_is_named():
    with md.use("numpy"), pytest.raises(BackendError, match="backend 'numpy' has no kernel 'fft'"):
        _ = active().fft


def test_kernels_come_from_the_fastest_module_that_has_them():
    from minidil.kernels import cpu

    with md.use("numba"):
        assert active().conv_forward is cpu.conv_forward
        assert active().transpose is reference.transpose is np.transpose
        assert active().sgd_update is cpu.sgd_update
        assert active().rmsprop_update is reference.rmsprop_update
    with md.use("numpy"):
        assert active().conv_forward is reference.conv_forward


def test_a_new_thread_starts_with_the_default():
    seen = []
    with md.use("numpy"):
        thread = threading.Thread(target=lambda: seen.append(md.backend()), **fresh_context())
        thread.start()
        thread.join()
        assert md.backend() == "numpy"
    assert seen == ["numba"]


def fresh_context():
    """Python 3.14 can hand a thread the context of its maker; what is tested is a thread with one of its own."""
    return {"context": contextvars.Context()} if sys.version_info >= (3, 14) else {}


def test_a_choice_in_a_thread_stays_there():
    def other():
        md.use("numpy")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert md.backend() == "numba"


def test_backward_runs_where_forward_ran(monkeypatch):
    x = np.array([0.0, 1.0])
    with md.use("numpy"):
        _, (grad_x,) = exp(x)
        chosen = active()
    monkeypatch.setattr(chosen, "multiply", lambda a, b: "numpy's")
    with md.use("numba"):
        assert grad_x(x) == "numpy's"


@pytest.mark.slow
def test_without_numba_the_reference_works_on_its_own():
    printed = python(
        """
        import sys
        sys.modules["numba"] = None  # what a failed import leaves behind: every import of it raises
        import numpy as np
        import minidil as md
        import minidil.functional as F

        print(md.backend())
        x = md.tensor(np.ones((1, 1, 5)), requires_grad=True)
        F.relu(F.conv(x, np.ones((1, 1, 2)), dilation=4)).sum().backward()
        print(x.grad.numpy().ravel().tolist())
        try:
            md.use("numba")
        except md.MinidilError as error:
            print(error)
        print(md.backend())
        """
    )
    assert printed.splitlines() == [
        "numpy",
        "[1.0, 0.0, 0.0, 0.0, 1.0]",
        "backend 'numba' needs Numba (pip install numba); 'numpy' works without it",
        "numpy",
    ]


def test_numba_is_not_imported_before_it_is_needed():
    printed = python(
        """
        import sys
        import numpy as np
        import minidil as md
        import minidil.functional as F

        with md.use("numpy"):
            F.conv(np.ones((1, 1, 5)), np.ones((1, 1, 2)))
        print("numba" in sys.modules)
        print(md.backend(), "numba" in sys.modules)
        """
    )
    assert printed.splitlines() == ["False", "numba True"]


def test_both_backends_agree_on_a_small_network():
    x, w = np.random.default_rng(0).standard_normal((2, 2, 9, 4)), np.ones((4, 2, 3, 1)) / 3
    results = []
    for name in ("numpy", "numba"):
        with md.use(name):
            results.append(F.max_pool(F.relu(F.conv(x, w, padding="same")), kernel_size=(3, 1)).numpy())
    np.testing.assert_allclose(*results, rtol=1e-12)
