"""Reading PTX, NVIDIA's assembly language: the text that numba.cuda compiles a kernel to becomes a list of instructions.

A line such as `@%p1 ld.global.v2.f32 {%f1, %f2}, [%rd4+8];` has a guard (run only where %p1 holds), an operation with
modifiers and a type, and operands. `.loc 1 12 5` says that what follows comes from line 12 of file 1.
Source: NVIDIA, "Parallel Thread Execution ISA", https://docs.nvidia.com/cuda/parallel-thread-execution/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.errors import BackendError

_CODES = {"u": "u", "s": "i", "b": "u"}  # PTX's letters for unsigned, signed and plain bits
TYPES: dict[str, np.dtype[Any]] = {
    **{
        f"{letter}{bits}": np.dtype(f"{code}{bits // 8}") for letter, code in _CODES.items() for bits in (8, 16, 32, 64)
    },
    "f16": np.dtype(np.float16),
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
    """A kernel in PTX, with the functions that it calls written out in place of the calls."""

    parameters: list[tuple[str, str]]  # (name, type) in the order of the call
    instructions: list[Instruction]
    labels: dict[str, int]  # the number of the instruction behind each
    registers: dict[str, str]  # the type of each
    symbols: dict[str, tuple[str, int]]  # of memory that the kernel itself declares: (space, offset)
    extents: dict[str, int]  # the bytes of each; those of an array of dynamic shared memory are known at the launch
    sizes: dict[str, int]  # bytes of "shared" memory per block, and of "local" memory per thread
    constants: dict[str, NDArray[Any]]  # arrays in global memory with their initial values
    files: dict[int, str] = field(default_factory=dict)
    dynamic: int | None = None  # where dynamic shared memory begins, if the kernel uses any

    @property
    def static_shared(self) -> int:
        """The bytes of shared memory that the kernel declares, without the gaps between arrays."""
        return sum(self.extents[name] for name, (space, _) in self.symbols.items() if space == "shared")


GAP = 1024  # bytes between two shared arrays, so that who runs past the end of one does not land in the next
_TOKEN = re.compile(
    r"\s+|(?P<loc>\.loc\s+(?P<file>\d+)\s+(?P<line>\d+)[^\n]*)|(?P<label>[$\w]+):(?!:)|(?P<brace>[{}])|(?P<statement>[^;]+);"
)
_INSTRUCTION = re.compile(r"(?:@(?P<not>!?)(?P<guard>%[\w$]+)\s+)?(?P<op>[a-z][\w.:]*)\s*(?P<operands>.*)", re.S)
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+)*?(?:\.align\s+\d+\s+)?)?([\w$]+)"
)
_MEMORY = re.compile(r"(\.extern\s+)?\.(shared|local)\s+(?:\.align\s+(\d+)\s+)?\.b8\s+([\w$]+)\[(\d*)\]")
_CONSTANT = re.compile(
    r"\.(?:global|const)\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d*)\])?(?:\s*=\s*([^;]*))?;"
)
_REGISTERS = re.compile(r"\.reg\s+\.(\w+)\s+([^;]+)")


def parse(text: str) -> Program:
    """The one kernel that is in `text`.

    Raises: BackendError if there is none, or it calls functions that are not there.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    entry = re.search(r"\.entry\s+[\w$]+\s*\((.*?)\)[^{]*\{", text, re.S)
    if not entry:
        raise BackendError("cuda emulator: this PTX has no .entry, so there is no kernel in it")
    body = text[entry.end() : _closing(text, entry.end())]
    program = Program(_PARAMETER.findall(entry[1]), [], {}, {}, {}, {}, {"shared": 0, "local": 0}, {})
    program.parameters = [(name, kind) for kind, name in program.parameters]
    program.files = {int(number): name for number, name in re.findall(r'\.file\s+(\d+)\s+"([^"]*)"', text)}
    functions = _functions(text)
    head = text[: entry.start()]
    for kind, name, size, values in _CONSTANT.findall(head):
        program.constants[name] = _constant(TYPES[kind], int(size or 1), values)
    for function in functions.values():  # what they declare themselves is found when they are called
        head = head.replace(function.body, "")
    _declare(head, program, "")
    _read(body, program, functions, "", {})
    if program.dynamic is not None:
        program.dynamic = _aligned(program.sizes["shared"] + (GAP if program.sizes["shared"] else 0), 128)
        for name in [name for name, (space, _) in program.symbols.items() if space == "dynamic"]:
            program.symbols[name] = ("shared", program.dynamic)
    return program


@dataclass(frozen=True)
class _Function:
    """A function in PTX: the names of its parameters and of its result, and its body."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]
    body: str


_FUNCTION = re.compile(r"\.func\s*(?:\(([^)]*)\)\s*)?([\w$]+)\s*\(([^)]*)\)[^{;]*\{", re.S)
_ARGUMENT = re.compile(r"\.param\s+(?:\.align\s+\d+\s+)?\.\w+\s+([\w$]+)")
_CALL = re.compile(r"call(?:\.uni)?\s*(?:\(([^)]*)\)\s*,)?\s*([\w$%]+)\s*(?:,\s*\(([^)]*)\))?\s*(?:,.*)?", re.S)


def _functions(text: str) -> dict[str, _Function]:
    return {
        name: _Function(
            tuple(_ARGUMENT.findall(parameters)),
            tuple(_ARGUMENT.findall(results or "")),
            text[match.end() : _closing(text, match.end())],
        )
        for match in _FUNCTION.finditer(text)
        for results, name, parameters in [match.groups()]
    }


def _declare(text: str, program: Program, prefix: str) -> None:
    """Find room for the memory that is declared in a piece of text."""
    for extern, space, align, name, size in _MEMORY.findall(text):
        if extern and space == "shared" and not size:  # all of these begin where the rest ends
            program.symbols[name], program.extents[name] = ("dynamic", 0), 0
            program.dynamic = 0
        else:
            _allocate(program, _prefixed(name, prefix), space, int(size or 0), int(align or 1))


def _allocate(program: Program, name: str, space: str, size: int, align: int) -> None:
    end = program.sizes[space]
    # A multiple of 128 bytes, so that every word stays in its bank.
    start = _aligned(end, align) + (GAP if space == "shared" and end else 0)
    program.symbols[name], program.extents[name] = (space, start), size
    program.sizes[space] = start + size


def _aligned(number: int, align: int) -> int:
    return -(-number // align) * align


def _read(body: str, program: Program, functions: dict[str, _Function], prefix: str, renamed: dict[str, str]) -> None:
    """The instructions, labels and registers of a body, in which names are to be written with a prefix, or as `renamed`."""
    position, place = 0, (0, 0)
    names = {**{name: _prefixed(name, prefix) for name in _own_names(body)}, **renamed} if prefix else renamed
    outer: list[dict[str, str]] = []  # the names outside of each pair of braces that is open
    _declare(body, program, prefix)
    while match := _TOKEN.match(body, position):
        position = match.end()
        if match["loc"] and int(match["line"]):  # line 0: the compiler does not know
            place = int(match["file"]), int(match["line"])
        elif match["brace"]:
            if match["brace"] == "{":
                outer.append(names)
            elif outer:
                names = outer.pop()
        elif match["label"]:
            program.labels[names.get(match["label"], match["label"])] = len(program.instructions)
        elif statement := (match["statement"] or "").strip():
            if registers := _REGISTERS.match(statement):
                for name, kind in _registers(*registers.groups()).items():
                    known = names.get(name, name)
                    if outer and known in program.registers:  # inside of braces it is another one
                        known = _prefixed(known, f"b{len(program.instructions)}_")
                        names = {**names, name: known}
                    program.registers[known] = kind
                continue
            if names and not statement.startswith(".param"):
                statement = _renamed(statement, names)
            if parameter := re.match(
                r"\.param\s+(?:\.align\s+\d+\s+)?\.([bfsu])(\d+)\s+([\w$]+)(?:\[(\d+)\])?", statement
            ):
                _reserve(program, _prefixed(parameter[3], prefix), int(parameter[4] or 1) * int(parameter[2]) // 8)
            elif call := _CALL.fullmatch(statement):
                _call(program, functions, call, place, prefix)
            elif not statement.startswith("."):
                instruction = _instruction(statement, *place)
                if prefix and instruction.op[0] == "ret":
                    instruction = replace(instruction, op=("bra",), operands=(f"{prefix}end",))
                program.instructions.append(_through_memory(instruction, program))
    if prefix:
        program.labels[f"{prefix}end"] = len(program.instructions)


_NAME = re.compile(r"[%$\w]+")


def _renamed(statement: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda found: names.get(found[0], found[0]), statement)


def _prefixed(name: str, prefix: str) -> str:
    """The name that something of a called function has: %rd1 becomes %f12_rd1."""
    return f"%{prefix}{name[1:]}" if name.startswith("%") else prefix + name


def _own_names(body: str) -> set[str]:
    """What is declared in the body of a function: registers, labels, memory, and parameters of its calls."""
    found = {name for _, _, _, name, _ in _MEMORY.findall(body)}
    found |= set(re.findall(r"^\s*([$\w]+):", body, re.M)) | set(_ARGUMENT.findall(body))
    for kind, names in re.findall(r"\.reg\s+\.(\w+)\s+([^;]+)", body):
        found |= set(_registers(kind, names))
        found |= {name.partition("<")[0] for name in re.findall(r"%?[\w$]+(?=<)", names)}
    return found


def _reserve(program: Program, name: str, size: int) -> None:
    """Room in the thread's own memory for a parameter of a call, or its result."""
    if program.extents.get(name, 0) < size:
        _allocate(program, name, "local", size, 16)


def _through_memory(instruction: Instruction, program: Program) -> Instruction:
    """Parameters of calls lie in the thread's own memory here; those of the kernel do not."""
    if instruction.op[:2] in (("ld", "param"), ("st", "param")):
        place = next(operand for operand in instruction.operands if operand.startswith("["))
        if place.strip("[] ").partition("+")[0].strip() in program.symbols:
            return replace(instruction, op=(instruction.op[0], "local", *instruction.op[2:]))
    return instruction


def _call(
    program: Program, functions: dict[str, _Function], call: re.Match[str], place: tuple[int, int], prefix: str
) -> None:
    """Write the called function out where it is called; it has no recursion, which numba.cuda does not compile."""
    results, name, parameters = (part or "" for part in call.groups())
    given, wanted = ([one.strip() for one in part.split(",") if one.strip()] for part in (parameters, results))
    if name == "vprintf":
        values = (f"[{given[0]}]", f"[{given[1]}]")
        program.instructions.append(Instruction(("minidil", "print"), values, None, False, *place))
        return
    if name not in functions or prefix.count("_") > 20:
        where = f"cuda emulator: in line {place[1]} of {program.files.get(place[0], 'the kernel')} the kernel"
        if name.startswith("cudaCG"):
            raise BackendError(f"{where} synchronises the whole grid, which cannot be run here: use a second launch")
        raise BackendError(
            f"{where} calls {name}, which is not part of what was compiled; a function of another language cannot be run here"
        )
    function = functions[name]
    renamed = {**dict(zip(function.parameters, given, strict=True)), **dict(zip(function.results, wanted, strict=True))}
    _read(function.body, program, functions, f"{prefix}f{len(program.instructions)}_", renamed)


def _instruction(statement: str, file: int, line: int) -> Instruction:
    match = _INSTRUCTION.fullmatch(statement)
    if not match:
        raise BackendError(f"cuda emulator: cannot read the PTX statement {statement!r}")
    if match["op"].startswith("call"):
        raise BackendError(f"cuda emulator: cannot read the call {statement!r}")
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
