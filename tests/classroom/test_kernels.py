"""The check of kernels: what it says of each kind of fault, of what cannot run, and of what moves too much."""

import re
from pathlib import Path
from types import FunctionType

import pytest

import minidil
from minidil.classroom.chapters.gpu import block_sums, causal_conv, matmul, smooth, vector_add
from minidil.classroom.kernel_text import Text
from minidil.emulator import toolchain
from minidil.errors import CallError, CheckFailed

if toolchain.missing():
    pytest.skip("kernels cannot be compiled here", allow_module_level=True)

ADD = vector_add.KERNEL


def said(kernel, name="ex10_1"):
    """The result, and its message with the title and the offer of a hint left out."""
    result = minidil.check(name, kernel)
    lines = result.message.splitlines()
    assert lines[0].startswith(("not yet: ", "passed: "))
    return result, "\n".join(line for line in lines[1:] if not line.startswith("A hint: "))


def test_a_right_kernel_is_told_what_was_tried_and_counted():
    result, text = said(ADD)
    assert result.passed
    assert result.tried == 8
    assert result.extra == {"bytes": 12_288, "least_bytes": 12_288, "bank_conflicts": 0}
    assert "without a race" in text
    assert "12,288 bytes, the least there can be" in text
    assert "A remark" not in text


def test_a_race_is_told_with_both_lines_and_its_cause():
    (mistake,) = [each for each in block_sums.EXERCISE.mistakes if each.name == "no barrier between the rounds"]
    result, text = said(mistake.wrong, "ex10_2")
    assert (result.kind, result.mistake) == ("race", mistake.name)
    assert "    line 9:  part[t] += part[t + half]" in text
    assert "thread 0 of the same block reads in line 9, and no barrier lies between" in text
    assert f"Probable cause: {mistake.name}. {mistake.says}" in text
    with pytest.raises(CheckFailed, match="A race"):
        result.must_pass()


def test_the_readme_shows_what_a_check_of_a_kernel_prints():
    readme = Path(minidil.__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("this is an installed package, without its README")
    shown = re.search(r'>>> minidil.check\("ex10_2", block_sums\)\n(.*?)```', readme.read_text("utf-8"), re.DOTALL)
    (mistake,) = [each for each in block_sums.EXERCISE.mistakes if each.name == "no barrier between the rounds"]
    message = minidil.check("ex10_2", mistake.wrong).message
    # There @cuda.jit stands above the kernel, so that its lines are further down.
    printed, promised = (re.sub(r"line \d+", "line", text).split() for text in (message, shown[1]))
    assert printed == promised


def test_a_race_between_two_lines_shows_the_two():
    text = said(smooth.KERNEL.instead("    cuda.syncthreads()\n", ""), "ex10_6")[1]
    assert "    line 4:  tile[t + 1] = x[i]" in text
    assert "    line 10:  out[i] = tile[t]" in text


OTHERWISE = {
    "no barrier between bringing the numbers and adding them": (
        "ex10_2",
        """
def block_sums(values, sums):
    mine = cuda.shared.array(128, float32)
    me = cuda.threadIdx.x
    where = cuda.blockIdx.x * 128 + me
    if where < values.size:
        mine[me] = values[where]
    else:
        mine[me] = 0
    width = 64
    while width >= 1:
        if me < width:
            mine[me] = mine[me] + mine[me + width]
        cuda.syncthreads()
        width //= 2
    if me == 0:
        sums[cuda.blockIdx.x] = mine[0]
""",
    ),
    "no barrier between the rounds": (
        "ex10_2",
        """
def block_sums(values, sums):
    mine = cuda.shared.array(128, float32)
    me = cuda.threadIdx.x
    where = cuda.grid(1)
    mine[me] = 0
    if where < values.size:
        mine[me] = values[where]
    cuda.syncthreads()
    for width in (64, 32, 16, 8, 4, 2, 1):
        if me < width:
            other = mine[me + width]
            mine[me] += other
    if me == 0:
        sums[cuda.blockIdx.x] = mine[0]
""",
    ),
    "a barrier is missing in the round": (
        "ex10_4",
        """
def block_scan(x, out):
    row = cuda.shared.array(128, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    row[t] = 0
    if i < x.size:
        row[t] = x[i]
    s = 1
    while s < 128:
        cuda.syncthreads()
        if t >= s:
            row[t] = row[t] + row[t - s]
        s *= 2
    if i < x.size:
        out[i] = row[t]
""",
    ),
    "counted without an atomic operation": (
        "ex10_5",
        """
def histogram(x, out):
    count = cuda.shared.array(64, int32)
    for b in range(cuda.threadIdx.x, 64, 128):
        count[b] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        value = x[i]
        count[value] = count[value] + 1
    cuda.syncthreads()
    for b in range(cuda.threadIdx.x, 64, 128):
        cuda.atomic.add(out, b, count[b])
""",
    ),
    "no barrier between the threads' sums and the tree": (
        "ex10_10",
        """
def weight_gradient(x, grad, dw, d):
    sums = cuda.shared.array(128, float32)
    t = cuda.threadIdx.x
    sums[t] = 0
    for q in range(t, grad.size, 128):
        i, j = q // grad.shape[1], q % grad.shape[1]
        sums[t] += grad[i, j] * x[i + cuda.blockIdx.y * d, j + cuda.blockIdx.x * d]
    n = 64
    while n > 0:
        if t < n:
            sums[t] += sums[t + n]
        cuda.syncthreads()
        n //= 2
    if t == 0:
        dw[cuda.blockIdx.y, cuda.blockIdx.x] = sums[0]
""",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", OTHERWISE)
def test_a_mistake_is_named_in_a_kernel_of_another_hand(mistake):
    name, text = OTHERWISE[mistake]
    result = minidil.check(name, Text(text))
    assert (result.kind, result.mistake) == ("race", mistake), result.message


def test_a_race_that_is_no_known_mistake_gets_none():
    kernel = smooth.KERNEL.instead("    if t == 63:", "    if t < 2:\n        tile[0] = t\n    if t == 63:")
    result, text = said(kernel, "ex10_6")
    assert (result.kind, result.mistake) == ("race", None)
    assert "put cuda.syncthreads() between the two" in text


def test_a_wrong_result_is_shown_beside_the_right_one_for_a_problem_that_is_small():
    result, text = said(ADD.instead("x[i] + y[i]", "x[i] - y[i]"))
    assert (result.kind, result.mistake, result.tried) == ("value", None, 1)
    assert result.expected.tolist() == (result.case["x"] + result.case["y"]).tolist()
    assert result.actual.tolist() == (result.case["x"] - result.case["y"]).tolist()
    assert f"The only wrong entry is out[0]: expected {result.expected[0]:.0f}, yours {result.actual[0]:.0f}." in text


def test_a_kernel_that_does_nothing_is_told_so():
    assert said(ADD.body("    pass\n"))[1].startswith("No thread has stored anything into out, with x of 1, y of 1")


def test_what_was_handed_out_is_told_that_it_is_not_begun():
    result, text = said(ADD.body("    # your code here\n    raise NotImplementedError()\n"))
    assert (result.kind, text) == (
        "open",
        "The kernel still raises NotImplementedError: put your own lines in its place.",
    )


def test_an_input_that_is_changed_is_no_solution():
    result, text = said(ADD.instead("        out[i] = x[i] + y[i]", "        x[i] += y[i]\n        out[i] = x[i]"))
    assert result.kind == "in place"
    assert text.startswith("The kernel changes its input x")


@pytest.mark.parametrize(
    "body",
    ["    while True:\n        out[0] = 1\n", "    i = cuda.grid(1)\n    while i < out.size:\n        out[i] = x[i]\n"],
)
def test_a_loop_without_an_end_is_ended(body):
    result, text = said(ADD.body(body))
    assert result.kind == "endless loop"
    assert "What changes in the loop, so that its condition becomes false?" in text


@pytest.mark.slow
def test_one_thread_that_does_all_the_work_takes_long_and_is_right():
    body = "    if cuda.grid(1) == 0:\n        for i in range(out.size):\n            out[i] = x[i] + y[i]\n"
    result, text = said(ADD.body(body))
    assert result.kind == "bytes"
    assert text.startswith("It is right on all sizes, but it moves 98,304 bytes")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    out[0] = z[0]\n", ("does not compile", "out[0] = z[0]", "name 'z' is not defined")),
        ("    return 3\n", ("does not compile", "a kernel returns nothing")),
        ("    tile = cuda.shared.array(20_000, float32)\n    tile[0] = 1\n", ("80,000 bytes of shared memory",)),
        ("    cuda.cg.this_grid().sync()\n", ("synchronises the whole grid",)),
        ("    import numpy as np\n    np.zeros(3)\n", ("IMPORT_NAME",)),
    ],
)
def test_what_cannot_be_compiled_or_launched_is_told_why(body, words):
    result, text = said(ADD.body(body))
    assert result.kind == "call"
    assert [word for word in words if word not in text] == []
    assert "Traceback" not in text


def test_other_arguments_than_asked_for():
    assert said(Text("def vector_add(x, out):\n    out[0] = x[0]\n"))[1] == (
        "vector_add takes 2 arguments (x, out), and was launched with 3."
    )


@pytest.mark.parametrize("given", [len, lambda x, y, out: None, Path])
def test_what_is_no_kernel_is_told_how_one_is_written(given):
    result, text = said(given)
    assert (result.kind, text) == (
        "call",
        "What was given is no kernel. A kernel is written as\n    @cuda.jit\n    def vector_add(x, y, out):",
    )


def test_kernels_of_cuda_jit_and_functions_before_it_are_taken():
    from numba import cuda

    assert isinstance(ADD.py_func, FunctionType)
    assert minidil.check("ex10_1", ADD.py_func).passed
    assert minidil.check("ex10_1", cuda.jit(ADD.py_func)).passed


def test_what_a_kernel_prints_is_shown_once_with_what_fails(capsys):
    kernel = ADD.instead(
        "        out[i] = x[i] + y[i]", '        out[i] = x[i]\n        print("i is", i, "and x[i] is", x[i])'
    )
    result, text = said(kernel)
    assert f"On this problem it printed:\n    i is 0 and x[i] is {result.case['x'][0]:.0f}" in text
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_bytes_that_are_too_many_are_told_with_the_line_and_the_least():
    (mistake,) = [each for each in vector_add.EXERCISE.mistakes if each.counts]
    result, text = said(mistake.wrong)
    assert (result.kind, result.mistake) == ("bytes", mistake.name)
    assert "The least are 12,288: x and y read once and out written once." in text
    assert "line 4:  out[i] = x[i] + y[i]      <- 98,304 of the bytes" in text


@pytest.mark.slow
def test_numbers_that_are_brought_twice_are_not_taken_for_scattered_ones():
    twice = (
        "out[i] = x[i] + y[i]\n    cuda.syncthreads()\n    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):\n"
    )
    result, text = said(ADD.instead("out[i] = x[i] + y[i]\n", twice + "        out[i] = x[i] + y[i]\n"))
    assert (result.kind, result.mistake) == ("bytes", None)
    assert "The same numbers are brought again and again." in text


@pytest.mark.slow
def test_bank_conflicts_are_told_with_the_line():
    (mistake,) = [each for each in matmul.EXERCISE.mistakes if each.counts == "conflicts"]
    result, text = said(mistake.wrong, "ex10_7")
    assert (result.kind, result.mistake) == ("bank conflicts", mistake.name)
    assert "672 bank conflicts" in text
    assert "left[tx, ty] = a[row, start + tx]" in text


@pytest.mark.slow
def test_double_precision_is_remarked_and_passes():
    result, text = said(causal_conv.KERNEL.instead("total = float32(0)", "total = 0.0"), "ex10_8")
    assert result.passed
    assert "A remark: something is computed in double precision." in text


def test_the_same_seed_gives_the_same_and_another_one_other_sizes():
    wrong = ADD.instead("x[i] + y[i]", "x[i] - y[i]")
    first, again, other = (minidil.check("ex10_1", wrong, seed=seed).case["x"].tolist() for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_without_the_compiler_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(toolchain, "missing", lambda: f"needs the package numba-cuda: {toolchain.INSTALL}")
    result, text = said(ADD)
    assert (result.passed, result.kind, result.tried) == (False, "call", 0)
    assert text == (
        "No kernel can be checked here: the emulator that runs it needs the package numba-cuda: "
        "pip install 'minidil[cuda]' brings it, and needs no GPU and no driver."
    )


def test_a_piece_that_does_not_stand_in_a_kernel_cannot_be_replaced():
    with pytest.raises(CallError, match="stands in it 0 times"):
        ADD.instead("z[i]", "x[i]")
    with pytest.raises(CallError, match="launched on a grid"):
        ADD(1, 2, 3)
