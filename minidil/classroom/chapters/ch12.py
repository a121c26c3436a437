"""Chapter 12, fine-tuning: which parameters a pattern freezes, rates that fall from layer to layer, strides for dilations."""

from fnmatch import fnmatchcase
from typing import Any

from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Words = tuple[str, ...]
Layers = tuple[tuple[int, int], ...]


# What is expected


def frozen(names: Words, patterns: Words) -> Words:
    """The names that a pattern fits, or the name of a module that they are part of, in the order of the names."""
    return tuple(
        name for name in names if any(fnmatchcase(name, each) or fnmatchcase(name, f"{each}.*") for each in patterns)
    )


def rates(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    """One for each parameter: lr for those of the last layer, decay times as much for the layer before, and so on."""
    layers = _layers(names)
    return tuple(lr * decay ** (len(layers) - 1 - layers.index(_layer(name))) for name in names)


def densified(layers: Layers, output_stride: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """layers (stride, dilation). The strides and the dilations of the same layers with this output stride."""
    kept, factor, strides, dilations = 1, 1, [], []
    for stride, dilation in layers:
        dilations.append(dilation * factor)
        if kept * stride <= output_stride:
            kept *= stride
            strides.append(stride)
        else:
            factor *= stride
            strides.append(1)
    return tuple(strides), tuple(dilations)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _layers(names: Words) -> list[str]:
    return list(dict.fromkeys(map(_layer, names)))


# How cases are drawn

_MODULES = ("head", "features.1", "features.10", "features.2", "stem.conv", "head.features.1")
_PATTERNS = (
    "head",
    "features.1",
    "features.*",
    "*.bias",
    "features.?.weight",
    "*",
    "stem.conv.weight",
    "stem",
    "head.*",
)


def _names(draw: Draw, least: int) -> Words:
    first, count = draw.integer(0, len(_MODULES) - 1), draw.integer(least, 4)
    modules = [_MODULES[(first + number) % len(_MODULES)] for number in range(count)]
    both = draw.choice((False, True))
    return tuple(f"{module}.{kind}" for module in modules for kind in ("weight", "bias")[: 1 + both])


def _frozen_cases(draw: Draw) -> dict[str, Any]:
    names = _names(draw, 1)
    return {"names": names, "patterns": tuple(draw.choice(_PATTERNS) for _ in range(draw.integer(1, 2)))}


def _rates_cases(draw: Draw) -> dict[str, Any]:
    return {"names": _names(draw, 1), "lr": draw.choice((1.0, 0.1)), "decay": draw.choice((0.5, 0.8, 1.0))}


def _dense_cases(draw: Draw) -> dict[str, Any]:
    layers = tuple((draw.integer(1, 3), draw.integer(1, 3)) for _ in range(draw.integer(1, 5)))
    kept = 1
    for stride, _ in layers[: draw.integer(0, len(layers))]:
        kept *= stride
    return {"layers": layers, "output_stride": kept}


# What students get wrong


def _frozen_by_beginning(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(name.startswith(each.rstrip("*.")) for each in patterns))


def _frozen_exactly(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(fnmatchcase(name, each) for each in patterns))


def _frozen_loosely(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(fnmatchcase(name, f"{each}*") for each in patterns))


def _frozen_anywhere(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(fnmatchcase(name, f"*{each}*") for each in patterns))


def _frozen_without_wildcards(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(name == each or name.startswith(f"{each}.") for each in patterns))


def _frozen_inside_only(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if any(fnmatchcase(name, f"{each}.*") for each in patterns))


def _frozen_by_pattern(names: Words, patterns: Words) -> Words:
    return tuple(name for each in patterns for name in frozen(names, (each,)))


def _frozen_by_all(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if all(frozen((name,), (each,)) for each in patterns))


def _the_trained(names: Words, patterns: Words) -> Words:
    return tuple(name for name in names if name not in frozen(names, patterns))


def _rates_each(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    return tuple(lr * decay ** (len(names) - 1 - number) for number in range(len(names)))


def _rates_from_first(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    layers = _layers(names)
    return tuple(lr * decay ** layers.index(_layer(name)) for name in names)


def _rates_head_too(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    return tuple(each * decay for each in rates(names, lr, decay))


def _rates_two(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    return tuple(lr if _layer(name) == _layer(names[-1]) else lr * decay for name in names)


def _rates_linear(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    layers = _layers(names)
    return tuple(lr * (1 + layers.index(_layer(name))) / len(layers) for name in names)


def _rates_by_first_word(names: Words, lr: float, decay: float) -> tuple[float, ...]:
    groups = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return tuple(lr * decay ** (len(groups) - 1 - groups.index(name.partition(".")[0])) for name in names)


def _dense(layers: Layers, output_stride: int, mistake: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    strides, _ = densified(layers, output_stride)
    removed = [before // after for (before, _), after in zip(layers, strides, strict=True)]
    factors, factor = [], 1
    for each in removed:
        before, factor = factor, factor * each
        factors.append({"own": factor, "last": each}.get(mistake, before))
    if mistake == "last":
        factors = [1, *factors[:-1]]
    return strides, tuple(
        factor
        if mistake == "replaced" and factor > 1
        else dilation + factor - 1
        if mistake == "added"
        else dilation * factor
        for (_, dilation), factor in zip(layers, factors, strict=True)
    )


def _dense_own(layers: Layers, output_stride: int) -> Any:
    return _dense(layers, output_stride, "own")


def _dense_last_only(layers: Layers, output_stride: int) -> Any:
    return _dense(layers, output_stride, "last")


def _dense_replaced(layers: Layers, output_stride: int) -> Any:
    return _dense(layers, output_stride, "replaced")


def _dense_added(layers: Layers, output_stride: int) -> Any:
    return _dense(layers, output_stride, "added")


def _dense_strides_only(layers: Layers, output_stride: int) -> Any:
    return densified(layers, output_stride)[0], tuple(dilation for _, dilation in layers)


def _dense_all(layers: Layers, output_stride: int) -> Any:
    return densified(layers, 1)


def _dense_from_the_front(layers: Layers, output_stride: int) -> Any:
    """The first strides go, until what is left is the output stride."""
    total = 1
    for stride, _ in layers:
        total *= stride
    factor, strides, dilations = 1, [], []
    for stride, dilation in layers:
        dilations.append(dilation * factor)
        removed = total > output_stride
        if removed:
            total, factor = total // stride, factor * stride
        strides.append(1 if removed else stride)
    return tuple(strides), tuple(dilations)


EXERCISES = (
    Exercise(
        name="ex12_1",
        title="Which parameters are frozen?",
        function="my_frozen",
        signature="my_frozen(names, patterns)",
        cases=_frozen_cases,
        expected=frozen,
        hints=(
            "fnmatch.fnmatchcase(name, pattern) says whether a pattern fits a whole name. When is a parameter part "
            "of a module whose name a pattern fits?",
            'The parameters of the module "features.1" begin with "features.1." and its dot. "features.10.weight" does not.',
            'Keep a name if for any pattern fnmatchcase(name, pattern) or fnmatchcase(name, pattern + ".*").',
        ),
        mistakes=(
            Mistake(
                "modules are not looked into",
                _frozen_exactly,
                'A pattern that fits a module freezes all of its parameters: "head" stands for "head.weight", too.',
            ),
            Mistake(
                "features.1 freezes features.10",
                _frozen_loosely,
                'A module\'s name ends at a dot. What begins with the same letters may be another module, as "features.10" is.',
            ),
            Mistake(
                "compared with the beginning only",
                _frozen_by_beginning,
                "A pattern may have its * and ? anywhere, and a name that begins alike may belong to another module.",
            ),
            Mistake(
                "found anywhere in a name",
                _frozen_anywhere,
                'A pattern is to fit from the beginning: "features.1" is no part of "head.features.1" that counts.',
            ),
            Mistake(
                "wildcards are taken as letters",
                _frozen_without_wildcards,
                "* stands for anything, and ? for one character.",
            ),
            Mistake(
                "parameters are never named themselves",
                _frozen_inside_only,
                'A pattern may fit a parameter itself, as "*.bias" does.',
            ),
            Mistake(
                "in the order of the patterns",
                _frozen_by_pattern,
                "Names come pattern by pattern, and twice if two patterns fit. Asked for is the order of the model, "
                "each name once.",
            ),
            Mistake(
                "all patterns must fit",
                _frozen_by_all,
                "A name is frozen if one of the patterns fits; yours asks for all of them.",
            ),
            Mistake(
                "the others are returned",
                _the_trained,
                "These are the parameters that go on learning. Asked for are those that are frozen.",
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex12_2",
        title="Rates that fall from layer to layer",
        function="my_rates",
        signature="my_rates(names, lr, decay)",
        cases=_rates_cases,
        expected=rates,
        hints=(
            "First find the layers: which parameters have the same name up to the last dot? How many different ones are there?",
            "list(dict.fromkeys(...)) keeps each once, in order. The last layer learns at lr, the one before it at "
            "lr * decay, the one before that at lr * decay ** 2.",
            'layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names)); the rate of layer number i is '
            "lr * decay ** (len(layers) - 1 - i).",
        ),
        mistakes=(
            Mistake(
                "every parameter is a layer",
                _rates_each,
                "Weight and bias of one layer learn at the same rate: the rate falls from layer to layer.",
            ),
            Mistake(
                "the first layer learns fastest",
                _rates_from_first,
                "The rates fall towards the first layer: what it sees, edges and colours, is much the same in any image.",
            ),
            Mistake(
                "the last layer is slowed down, too",
                _rates_head_too,
                "The last layer learns at lr itself. How often is decay multiplied for the one before it?",
            ),
            Mistake(
                "two rates only",
                _rates_two,
                "All layers but the last have one rate. It is to fall further with each layer towards the first.",
            ),
            Mistake(
                "the rate falls by equal steps",
                _rates_linear,
                "Each layer has `decay` times the rate of the one behind it: a factor, not a difference.",
            ),
            Mistake(
                "layers are told apart by the first word",
                _rates_by_first_word,
                'features.1 and features.2 are two layers: a layer\'s name is all but the last part of "features.1.weight".',
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex12_3",
        title="A stride becomes dilations",
        function="my_densified",
        signature="my_densified(layers, output_stride)",
        cases=_dense_cases,
        expected=densified,
        returns=("strides", "dilations"),
        hints=(
            "Go through the layers and keep two numbers: the product of the strides that have stayed, and the "
            "product of those that were taken out.",
            "A layer behind a stride of 2 that was taken out reads a map that is twice as dense: its taps must be "
            "twice as far apart. Which layer is the first that this holds for?",
            "For each layer: its dilation becomes dilation * removed; then, if kept * stride <= output_stride, the "
            "stride stays and kept *= stride; else it becomes 1 and removed *= stride.",
        ),
        mistakes=(
            Mistake(
                "the layer itself is dilated",
                _dense_own,
                "The layer whose stride is taken out reads the same map as before, so its taps stay. Its output is denser.",
            ),
            Mistake(
                "only the next layer is dilated",
                _dense_last_only,
                "All maps behind the stride are denser, to the end: the factors of all strides that were taken out multiply.",
            ),
            Mistake(
                "a dilation that was there is lost",
                _dense_replaced,
                "A layer that had a dilation of its own keeps it: the factor is multiplied by it.",
            ),
            Mistake(
                "the factor is added",
                _dense_added,
                "A map that is twice as dense makes every distance twice as long, 3 becomes 6.",
            ),
            Mistake(
                "no dilation changes",
                _dense_strides_only,
                "Without dilations the layers behind would see a smaller part of the image than they were trained for.",
            ),
            Mistake(
                "all strides are taken out",
                _dense_all,
                "The strides stay, from the first on, until their product is the output stride that is asked for.",
            ),
            Mistake(
                "the first strides are taken out",
                _dense_from_the_front,
                "You begin at the wrong end: the first strides stay, the later ones go, so that the early maps, "
                "which are large, cost no more than before.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.analysis.dilate",),
    ),
)
