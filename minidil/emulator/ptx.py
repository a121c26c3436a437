"""Reading PTX, NVIDIA's assembly language: the text that numba.cuda compiles a kernel to becomes a list of instructions.

A line such as `@%p1 ld.global.v2.f32 {%f1, %f2}, [%rd4+8];` has a guard (run only where %p1 holds), an operation with
modifiers and a type, and operands. `.loc 1 12 5` says that what follows comes from line 12 of file 1.
Source: NVIDIA, "Parallel Thread Execution ISA", https://docs.nvidia.com/cuda/parallel-thread-execution/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.errors import BackendError

_CODES = {"u": "u", "s": "i", "b": "u"}  # PTX's letters for unsigned, signed and plain bits
TYPES: dict[str, np.dtype[Any]] = {
    **{
        f"{letter}{bits}": np.dtype(f"{code}{bits // 8}") for letter, code in _CODES.items() for bits in (8, 16, 32, 64)
    },
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "pred": np.dtype(np.bool_),
}


@dataclass(frozen=True)
class Instruction:
    """One instruction, and where in the source it comes from."""

    op: tuple[str, ...]  # the operation, its modifiers and types: ("ld", "global", "v2", "f32")
    operands: tuple[str, ...]
    guard: str | None  # the predicate register that must hold
    negated: bool  # or must not
    file: int
    line: int

    def __str__(self) -> str:
        return f"{'.'.join(self.op)} {', '.join(self.operands)}".strip()


@dataclass
class Program:
    """A kernel in PTX."""

    parameters: list[tuple[str, str]]  # (name, type) in the order of the call
    instructions: list[Instruction]
    labels: dict[str, int]  # the number of the instruction behind each
    registers: dict[str, str]  # the type of each
    symbols: dict[str, tuple[str, int]]  # of memory that the kernel itself declares: (space, offset)
    sizes: dict[str, int]  # bytes of "shared" memory per block, and of "local" memory per thread
    constants: dict[str, NDArray[Any]]  # arrays in global memory with their initial values
    files: dict[int, str] = field(default_factory=dict)


_TOKEN = re.compile(
    r"\s+|(?P<loc>\.loc\s+(?P<file>\d+)\s+(?P<line>\d+)[^\n]*)|(?P<label>[$\w]+):(?!:)|(?P<brace>[{}])|(?P<statement>[^;]+);"
)
_INSTRUCTION = re.compile(r"(?:@(?P<not>!?)(?P<guard>%[\w$]+)\s+)?(?P<op>[a-z][\w.:]*)\s*(?P<operands>.*)", re.S)
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+)*?(?:\.align\s+\d+\s+)?)?([\w$]+)"
)
_MEMORY = re.compile(r"\.(shared|local)\s+(?:\.align\s+(\d+)\s+)?\.b8\s+([\w$]+)\[(\d*)\]")
_CONSTANT = re.compile(
    r"\.(?:global|const)\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d*)\])?(?:\s*=\s*([^;]*))?;"
)
_REGISTERS = re.compile(r"\.reg\s+\.(\w+)\s+([^;]+)")


def parse(text: str) -> Program:
    """The one kernel that is in `text`.

    Raises: BackendError if there is none, or it calls functions that were not inlined.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    entry = re.search(r"\.entry\s+[\w$]+\s*\((.*?)\)[^{]*\{", text, re.S)
    if not entry:
        raise BackendError("cuda emulator: this PTX has no .entry, so there is no kernel in it")
    head, body = text[: entry.start()], text[entry.end() : _closing(text, entry.end())]
    program = Program(_PARAMETER.findall(entry[1]), [], {}, {}, {}, {"shared": 0, "local": 0}, {})
    program.parameters = [(name, kind) for kind, name in program.parameters]
    program.files = {int(number): name for number, name in re.findall(r'\.file\s+(\d+)\s+"([^"]*)"', text)}
    for space, align, name, size in _MEMORY.findall(head + body):
        start = -(-program.sizes[space] // int(align or 1)) * int(align or 1)
        program.symbols[name] = (space, start)
        program.sizes[space] = start + int(size or 0)
    for kind, name, size, values in _CONSTANT.findall(head):
        program.constants[name] = _constant(TYPES[kind], int(size or 1), values)
    _read(body, program)
    return program


def _read(body: str, program: Program) -> None:
    """The instructions, labels and registers of the kernel's body."""
    position, place = 0, (0, 0)
    while match := _TOKEN.match(body, position):
        position = match.end()
        if match["loc"] and int(match["line"]):  # line 0: the compiler does not know
            place = int(match["file"]), int(match["line"])
        elif match["label"]:
            program.labels[match["label"]] = len(program.instructions)
        elif statement := (match["statement"] or "").strip():
            if registers := _REGISTERS.match(statement):
                program.registers.update(_registers(*registers.groups()))
            elif not statement.startswith("."):
                program.instructions.append(_instruction(statement, *place))


def _instruction(statement: str, file: int, line: int) -> Instruction:
    match = _INSTRUCTION.fullmatch(statement)
    if not match:
        raise BackendError(f"cuda emulator: cannot read the PTX statement {statement!r}")
    if match["op"].startswith("call"):
        raise BackendError(
            f"cuda emulator: the kernel calls a function that was not inlined, {statement!r}; the emulator knows no calls"
        )
    op = tuple(match["op"].replace("::", "__").split("."))
    return Instruction(op, tuple(_split(match["operands"])), match["guard"], bool(match["not"]), file, line)


def _split(operands: str) -> list[str]:
    """Split at the commas outside brackets."""
    return [part.strip() for part in re.findall(r"(?:[^,{\[]|\{[^}]*\}|\[[^\]]*\])+", operands) if part.strip()]


def _registers(kind: str, names: str) -> dict[str, str]:
    """`%r<3>` declares %r0, %r1 and %r2."""
    found: dict[str, str] = {}
    for name in names.split(","):
        many = re.fullmatch(r"(%?[\w$]+)<(\d+)>", name.strip())
        found.update({f"{many[1]}{i}": kind for i in range(int(many[2]))} if many else {name.strip(): kind})
    return found


def _constant(dtype: np.dtype[Any], size: int, values: str) -> NDArray[Any]:
    array = np.zeros(size, dtype)
    given = [int(value, 0) for value in re.findall(r"-?\w+", values)]
    array[: len(given)] = np.array(given).astype(dtype)
    return array


def _closing(text: str, start: int) -> int:
    """Where the brace that was opened before `start` closes."""
    depth = 1
    for match in re.finditer(r"[{}]", text[start:]):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return start + match.start()
    raise BackendError("cuda emulator: the kernel's PTX is cut short")
