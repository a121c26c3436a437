"""Write tests/calls/pytorch_calls.json: what PyTorch answers to calls as its documentation spells them.

It needs PyTorch, which the test that reads the file does not.

python docs/make_pytorch_calls.py

Every function of FUNCTIONS is called in every documented signature (the stubs that PyTorch ships name them): with its arguments
by position, as many as there are samples for, and with each one by name. What PyTorch itself refuses is left out.
"""

import ast
import importlib.util
import inspect
import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parents[1] / "tests"
STUBS = Path(torch.__file__).parent


def _recipes() -> Any:
    """The samples and the encoding, which the test reads, too."""
    spec = importlib.util.spec_from_file_location("pytorch_samples", HERE / "pytorch_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


samples = _recipes()
# These choose between two functions, and hide their signature.
_DISPATCHED = {name: getattr(torch.nn.functional, f"_{name}") for name in ("max_pool1d", "max_pool2d", "max_pool3d")}
Parameters = list[tuple[str, bool, bool]]  # name, whether it must be given, whether by name only


def of_document(function: Any) -> list[Parameters]:
    """The signature in the first line of a docstring, of a function that is written in C."""
    line = next(line for line in function.__doc__.splitlines() if "(" in line).split(" -> ")[0]
    return of_stub(f"def {line}: ...")[function.__name__]


def of_stub(text: str, within: str | None = None) -> dict[str, list[Parameters]]:
    """Every signature of every function in a stub, or of a class in it."""
    body: list[ast.stmt] = ast.parse(text).body
    if within:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == within)
    found: dict[str, list[Parameters]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            first_default = len(arguments) - len(node.args.defaults)
            listed = [(a.arg, i < first_default, False) for i, a in enumerate(arguments) if a.arg != "self"]
            spread = [("*" + node.args.vararg.arg, True, False)] if node.args.vararg else []
            named = [
                (a.arg, default is None, True)
                for a, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            ]
            found.setdefault(node.name, []).append([*listed, *spread, *named])
    return found


def of_python(function: Any) -> list[Parameters]:
    """The signature of a function or class that is written in Python."""
    return [
        [
            (p.name, p.default is p.empty, p.kind is p.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
            if p.kind is not p.VAR_KEYWORD and not (p.kind is p.VAR_POSITIONAL and inspect.isclass(function))
        ]
    ]


def calls(room: str, name: str, parameters: Parameters) -> list[tuple[list[Any], dict[str, Any]]]:
    """The arguments of every call that one signature is tried with."""
    values = [samples.sample(room, name, parameter.lstrip("*")) for parameter, _, _ in parameters]
    if any(required and value is samples.NONE for (_, required, _), value in zip(parameters, values, strict=True)):
        return []
    made: list[tuple[list[Any], dict[str, Any]]] = []
    by_place = [(p, required, v) for (p, required, only), v in zip(parameters, values, strict=True) if not only]
    placed = list(itertools.takewhile(lambda entry: entry[2] is not samples.NONE, by_place))
    least = sum(required for _, required, _ in by_place)
    spread = any(p.startswith("*") for p, _, _ in by_place)
    must = {p: v for (p, required, only), v in zip(parameters, values, strict=True) if only and required}
    for count in range(least, len(placed) + 1):
        made.append(([v for _, _, v in placed[:count]], must))
    if not spread:
        base = [v for _, _, v in placed[:least]]
        named = [(p, v) for (p, required, only), v in zip(parameters, values, strict=True) if not required]
        made += [(base, {**must, p: v}) for p, v in named if v is not samples.NONE]
        made.append(([], {**{p: v for p, _, v in placed[:least]}, **must}))
    return made


def answer(function: Any, given: list[Any], named: dict[str, Any]) -> Any:
    """What PyTorch answers, in the encoding of the table; None if it refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, *others = (
                samples.encoded(
                    function(
                        *map(samples.decoder(torch), given), **{k: samples.decoder(torch)(v) for k, v in named.items()}
                    )
                )
                for _ in range(5)
            )
    except (
        SystemError,
        TypeError,
        RuntimeError,
        ValueError,
        IndexError,
        AssertionError,
        NotImplementedError,
        AttributeError,
    ):
        return None
    return first if all(other == first for other in others) else samples.shape_only(first)


def table() -> list[dict[str, Any]]:
    own = of_stub((STUBS / "_C" / "_VariableFunctions.pyi").read_text())
    methods = of_stub((STUBS / "_C" / "__init__.pyi").read_text(), "TensorBase")
    rows = []
    for room, names in samples.NAMES.items():
        for name in names.split():
            if room == "Tensor":
                signatures, target = methods.get(name) or of_python(getattr(torch.Tensor, name)), None
                if name not in methods:
                    signatures = [signature[1:] for signature in signatures]
            else:
                place = {"functional": torch.nn.functional, "minidil": torch, "nn": torch.nn, "optim": torch.optim}[
                    room
                ]
                target = getattr(place, name)
                signatures = own.get(name, []) if room == "minidil" else []
                if not signatures:
                    target = _DISPATCHED.get(name, target)
                    builtin = inspect.isbuiltin(target)
                    signatures = of_document(target) if builtin else of_python(target)
            found: list[Any] = []
            for signature in signatures:
                for given, named in calls(room, name, signature):
                    subjects = samples.subjects(name) if room == "Tensor" else [None]
                    for subject in subjects:
                        row = {"call": f"{room}.{name}", "given": given, "named": named}
                        if subject is not None:
                            row["on"] = subject
                        row["gives"] = answer(samples.act(torch, room, name, subject), given, named)
                        if row["gives"] is not None and row not in found:
                            found.append(row)
            if not found:
                print("no call of", room, name, signatures)
            rows += found
    for call, subject, given, named in samples.EXTRA:
        row = {"call": call, "given": given, "named": named} | ({} if subject is None else {"on": subject})
        row["gives"] = answer(samples.act(torch, *call.split("."), subject), given, named)
        rows += [row] if row["gives"] is not None else []
    return sorted(rows, key=lambda row: row["call"])


if __name__ == "__main__":
    rows = table()
    lines = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "calls" / "pytorch_calls.json").write_text(
        f'{{"version": "{torch.__version__}", "calls": [\n{lines}\n]}}\n', encoding="utf-8"
    )
    print(len(rows), "calls of PyTorch", torch.__version__, "written")
