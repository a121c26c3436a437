"""From a kernel's Python function to PTX, the GPU's assembly language, as numba.cuda compiles it. No GPU is needed.

Compiling takes from a tenth of a second to ten. The result is kept in this process, and on disk under a fingerprint of all
that it depends on, so that the second run of a test suite compiles nothing.
"""

from __future__ import annotations

import hashlib
import os
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

from minidil.emulator import checked as checked_module
from minidil.emulator.checked import checks
from minidil.emulator.toolchain import missing
from minidil.errors import BackendError

Capability = tuple[int, int]
Signature: TypeAlias = "str | tuple[Any, ...]"


@cache
def ptx_of(
    function: Callable[..., None],
    signature: Signature,
    capability: Capability = (8, 0),
    checked: bool = False,
    fastmath: bool = False,
) -> str:
    """The PTX of a kernel, with the source line of every instruction.

    signature: the types of its arguments as numba writes them, such as "float32[::1], float32[:,::1], int32", or as its objects.
    capability: the compute capability of the GPU to compile for.
    checked: with the instructions for the emulator that `checked` describes. fastmath: as for cuda.jit.
    """
    file = _folder() / f"{_fingerprint(function, signature, capability, checked, fastmath)}.ptx"
    with suppress(OSError):
        return file.read_text()
    ptx = _compile(function, signature, capability, checked, fastmath)
    with suppress(OSError):  # a cache that cannot be written only costs time
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(ptx)
        partial.replace(file)  # so that no other process reads half a file
    return ptx


def ptx_for_all(
    function: Callable[..., None], signature: str, capabilities: Iterable[Capability]
) -> dict[Capability, str]:
    """The PTX of a kernel for several GPUs, without line numbers.

    Numba's part of the work does not depend on the capability and takes nine tenths of the time, so it is done once.
    """
    _check()
    from numba.cuda.compiler import _compile_pyfunc_with_fixup as lowered  # what cuda.compile itself begins with

    wanted = list(capabilities)
    with _device_functions_for(wanted[0]):
        library, _ = lowered(function, types_of(signature), device=False, abi="numba", cc=wanted[0])
    return {capability: str(library.get_asm_str(cc=capability)) for capability in wanted}


def types_of(signature: Signature) -> tuple[Any, ...]:
    """numba's types for a signature."""
    if not isinstance(signature, str):
        return signature
    from numba import types as known

    namespace = {name: getattr(known, name) for name in ("float32", "int32", "uint32", "int64", "boolean", "UniTuple")}
    return tuple(eval(f"[{signature}]", {"__builtins__": {}}, namespace))


def _check() -> None:
    if trouble := missing():
        raise BackendError(f"the CUDA emulator {trouble}")


def _compile(
    function: Callable[..., None], signature: Signature, capability: Capability, checked: bool, fastmath: bool
) -> str:
    _check()
    from numba.cuda.compiler import _compile_pyfunc_with_fixup as lowered  # what cuda.compile itself begins with

    with _device_functions_for(capability), warnings.catch_warnings(), checks() if checked else nullcontext():
        warnings.filterwarnings("ignore", message="Could not find source")  # of a kernel typed at a prompt
        library, _ = lowered(
            function,
            types_of(signature),
            device=False,
            abi="numba",
            cc=capability,
            lineinfo=True,
            fastmath=fastmath,
        )
        ptx = str(library.get_asm_str(cc=capability))
    return "\n".join([ptx, *_linked(library, capability)])


def _linked(library: Any, capability: Capability) -> Iterator[str]:
    """The PTX of what numba.cuda itself links to a kernel, in CUDA C++: the arithmetic of float16, for instance."""
    sources = [source for source in library._linking_files if getattr(source, "kind", "") == "cu"]
    if not sources:
        return
    from cuda.bindings import nvrtc
    from numba.cuda.cuda_paths import get_cuda_paths

    # numba.cuda's own way from CUDA C++ to PTX asks the driver.
    options = [
        f"-arch=compute_{capability[0]}{capability[1]}",
        "-rdc=true",
        "-std=c++17",
        f"-I{get_cuda_paths()['include_dir'].info}",
    ]
    for source in sources:
        text = source.data if isinstance(source.data, bytes) else source.data.encode()
        made = nvrtc.nvrtcCreateProgram(text, b"linked.cu", 0, [], [])[1]
        (failed,) = nvrtc.nvrtcCompileProgram(made, len(options), [option.encode() for option in options])
        if failed:
            raise BackendError(
                f"the CUDA emulator cannot compile {source.name}, which numba.cuda links to the kernel: {failed}"
            )
        ptx = b" " * nvrtc.nvrtcGetPTXSize(made)[1]
        nvrtc.nvrtcGetPTX(made, ptx)
        nvrtc.nvrtcDestroyProgram(made)
        yield ptx.rstrip(b"\0").decode()


@contextmanager
def _device_functions_for(capability: Capability) -> Iterator[None]:
    """Let numba.cuda compile device functions without a GPU: it would ask the current one for its capability."""
    from numba.cuda import dispatcher

    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = asked


# --- the cache on disk


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MINIDIL_PTX_CACHE") or Path(base) / "minidil" / "ptx")


def _fingerprint(
    function: Callable[..., None],
    signature: Signature,
    capability: Capability,
    checked: bool = False,
    fastmath: bool = False,
) -> str:
    options = ("checked", _checks_version()) * checked + ("fastmath",) * fastmath
    types = signature if isinstance(signature, str) else ",".join(map(repr, signature))
    digest = hashlib.sha256(repr((types, capability, _compilers(), *options)).encode())
    for part in _parts(function, set()):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


@cache
def _checks_version() -> str:
    """What the checks are, so that PTX with those of yesterday is not taken for that of today."""
    return hashlib.sha256(Path(checked_module.__file__).read_bytes()).hexdigest()


@cache
def _compilers() -> tuple[str, ...]:
    found = []
    for package in ("numba", "numba-cuda", "nvidia-nvvm", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc", "llvmlite"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return tuple(found)


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """What the PTX of a function depends on: its code with the line numbers, and the functions and constants that it names."""
    value = getattr(value, "py_func", getattr(value, "_defn", value))  # what numba wraps: jit functions, intrinsics
    if isinstance(value, types.FunctionType):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield from _code(value.__code__)
        names = sorted(_names(value.__code__))
        bound = [value.__globals__[name] for name in names if name in value.__globals__]
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        for inner in [*bound, *cells, *(value.__defaults__ or ())]:
            yield from _parts(inner, seen)
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    elif isinstance(value, int | float | str | bool | tuple | type(None)):
        yield repr(value)
    else:
        yield f"{type(value).__module__}.{type(value).__qualname__} {getattr(value, '__name__', '')}"


def _code(code: types.CodeType) -> Iterator[str]:
    yield repr(
        (code.co_filename, code.co_firstlineno, code.co_code, code.co_names, code.co_varnames, code.co_linetable)
    )
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)
