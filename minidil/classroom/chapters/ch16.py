"""Chapter 16, entities: what tags mark, the sum over all paths, and the best path."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Entities = list[tuple[int, int, str]]
TAGS = ("O", "B-a", "I-a", "B-b", "I-b")


# What is expected


def spans(tags: Sequence[str]) -> Entities:
    """(first word, word behind the last, type) of every entity; an I- that goes on with none of its type begins one."""
    return _spans(tags, lambda tag, before: tag[0] == "B" or before[2:] != tag[2:])


def log_z(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    """log sum e^score over all paths through the tags of emissions (T, K)."""
    alpha = _forward(emissions, transitions, start, _log_sum)
    return float(_log_sum(alpha + end))


def best(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    """The path of the highest score, (T,) whole numbers."""
    score, came_from = start + emissions[0], list[Array]()
    for emission in emissions[1:]:
        paths = score[:, None] + transitions
        came_from.append(paths.argmax(axis=0))
        score = paths.max(axis=0) + emission
    return _traced(score + end, came_from)


def _spans(tags: Sequence[str], begins: Callable[[str, str], bool], joins: bool = True) -> Entities:
    """begins: whether a tag that is not O begins an entity behind the tag before it. joins: whether others make it longer."""
    found: Entities = []
    for at, (before, tag) in enumerate(zip(("O", *tags), tags, strict=False)):
        if tag == "O":
            continue
        if begins(tag, before):
            found.append((at, at + 1, tag[2:]))
        elif found and joins:
            found[-1] = (found[-1][0], at + 1, found[-1][2])
    return found


def _log_sum(x: Array, axis: int = 0) -> Array:
    top = x.max(axis=axis)
    return top + np.log(np.exp(x - np.expand_dims(top, axis)).sum(axis=axis))


def _forward(emissions: Array, transitions: Array, start: Array, over: Callable[..., Array]) -> Array:
    alpha = start + emissions[0]
    for emission in emissions[1:]:
        alpha = over(alpha[:, None] + transitions, axis=0) + emission
    return alpha


def _traced(score: Array, came_from: Sequence[Array]) -> Array:
    path = [int(score.argmax())]
    for places in reversed(came_from):
        path.append(int(places[path[-1]]))
    return np.array(path[::-1])


# How cases are drawn


def _tags_cases(draw: Draw) -> dict[str, Any]:
    return {"tags": tuple(TAGS[number] for number in draw.integers(0, 4, least=0, most=6))}


def _chain_cases(draw: Draw) -> dict[str, Any]:
    steps, tags = draw.integer(1, 4), draw.integer(1, 3)
    return {
        "emissions": draw.reals(steps, tags),
        # in other units each, so that no two paths have the same score
        "transitions": draw.reals(tags, tags) * 0.70711,
        "start": draw.reals(tags) * 0.57735,
        "end": draw.reals(tags) * 0.44721,
    }


def _large_chain_cases(draw: Draw) -> dict[str, Any]:
    chain = _chain_cases(draw)
    return chain | {"emissions": chain["emissions"] + draw.choice((0.0, 1000.0))}


# What students get wrong


def _lost_at_the_end(tags: Sequence[str]) -> Entities:
    return [each for each in spans(tags) if each[1] < len(tags)]


def _one_type(tags: Sequence[str]) -> Entities:
    return _spans(tags, lambda tag, before: tag[0] == "B" or before == "O")


def _neighbours_joined(tags: Sequence[str]) -> Entities:
    return _spans(tags, lambda tag, before: before[2:] != tag[2:])


def _only_b(tags: Sequence[str]) -> Entities:
    return [each for each in spans(tags) if tags[each[0]][0] == "B"]


def _last_word_included(tags: Sequence[str]) -> Entities:
    return [(start, stop - 1, type) for start, stop, type in spans(tags)]


def _single_words(tags: Sequence[str]) -> Entities:
    return _spans(tags, lambda tag, before: tag[0] == "B" or before[2:] != tag[2:], joins=False)


def _overflowing(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        alpha = np.exp(start + emissions[0])
        for emission in emissions[1:]:
            alpha = alpha @ np.exp(transitions) * np.exp(emission)
        return float(np.log(alpha @ np.exp(end)))


def _best_score(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    return float((_forward(emissions, transitions, start, np.max) + end).max())


def _turned(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    return log_z(emissions, transitions.T, start, end)


def _without_end(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    return log_z(emissions, transitions, start, np.zeros_like(end))


def _start_every_step(emissions: Array, transitions: Array, start: Array, end: Array) -> float:
    return log_z(emissions + np.where(np.arange(len(emissions))[:, None] > 0, start, 0), transitions, start, end)


def _each_by_itself(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    return emissions.argmax(axis=1)


def _greedy(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    path = [int((start + emissions[0]).argmax())]
    for number, emission in enumerate(emissions[1:], 2):
        path.append(int((transitions[path[-1]] + emission + (end if number == len(emissions) else 0)).argmax()))
    return np.array(path)


def _best_of_each_step(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    score = start + emissions[0]
    path = [int(score.argmax())]
    for emission in emissions[1:]:
        score = (score[:, None] + transitions).max(axis=0) + emission
        path.append(int(score.argmax()))
    return np.array([*path[:-1], int((score + end).argmax())])


def _turned_path(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    return best(emissions, transitions.T, start, end)


def _path_without_end(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    return best(emissions, transitions, start, np.zeros_like(end))


def _backwards(emissions: Array, transitions: Array, start: Array, end: Array) -> Array:
    return best(emissions, transitions, start, end)[::-1]


EXERCISES = (
    Exercise(
        name="ex16_1",
        title="What tags mark",
        function="my_spans",
        signature="my_spans(tags)",
        cases=_tags_cases,
        expected=spans,
        hints=(
            "Walk through the tags and remember the entity that is open. What closes it? What opens the next one?",
            'A tag goes on with the entity before it if it is "I-" and the tag before it has the same type.',
            'If an "I-" has the type of the last entity, and that one stops here, give it a new stop; others but "O" append '
            "(at, at + 1, tag[2:]).",
        ),
        mistakes=(
            Mistake(
                "the last entity is lost",
                _lost_at_the_end,
                "An entity that lasts to the end of the sentence is closed by no tag behind it; it counts, too.",
            ),
            Mistake(
                "types are not compared",
                _one_type,
                "An I- of another type does not go on with the entity before it: it begins one of its own.",
            ),
            Mistake(
                "neighbours are one",
                _neighbours_joined,
                "B- begins an entity even right behind another one of its type; that is what it is for.",
            ),
            Mistake("an I- begins nothing", _only_b, "Here an I- that goes on with no entity of its type begins one."),
            Mistake(
                "the stop is the last word",
                _last_word_included,
                "The stop is the place behind the last word, as in slices.",
            ),
            Mistake(
                "entities of one word",
                _single_words,
                "An I- makes the entity longer that the tag before it belongs to.",
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex16_2",
        title="The sum over all paths",
        function="my_log_z",
        signature="my_log_z(emissions, transitions, start, end)",
        cases=_large_chain_cases,
        expected=log_z,
        hints=(
            "There are K^T paths. Let alpha[j] be the log of the sum over all that end at this step in tag j. What does the next "
            "step make of it?",
            "alpha[j] becomes emission[j] + log sum_i e^(alpha[i] + transitions[i, j]). Take the largest exponent out first.",
            "alpha = start + emissions[0]; for each later emission: s = alpha[:, None] + transitions; top = s.max(0); "
            "alpha = emission + top + np.log(np.exp(s - top).sum(0)); and once more with alpha + end.",
        ),
        mistakes=(
            Mistake(
                "e^score overflows",
                _overflowing,
                "e^1000 is no float. Stay with logarithms, and take the largest out of each sum before the exponential.",
            ),
            Mistake(
                "the best path instead of the sum",
                _best_score,
                "With the largest in the place of the sum you get the score of the best path; Z counts all of them.",
            ),
            Mistake(
                "transitions turned",
                _turned,
                "transitions[i, j] is from tag i to tag j: the sum is over the row's tag, the one before.",
            ),
            Mistake("end is forgotten", _without_end, "The last tag has a score of its own: end."),
            Mistake("start at every step", _start_every_step, "start counts for the first tag of a path, once."),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.nn.CRF", "minidil.ops.crf.crf_loss"),
    ),
    Exercise(
        name="ex16_3",
        title="The best path",
        function="my_best",
        signature="my_best(emissions, transitions, start, end)",
        cases=_chain_cases,
        expected=best,
        hints=(
            "The recursion is that of log Z with the largest in the place of the sum. What must be kept to find the way back?",
            "Keep for every tag j of a step which tag i before it gave the largest score. Begin with the best last tag.",
            "s = score[:, None] + transitions; came_from.append(s.argmax(0)); score = emission + s.max(0). At the end tag = "
            "(score + end).argmax(), and through the reversed came_from: tag = places[tag].",
        ),
        mistakes=(
            Mistake(
                "each step by itself",
                _each_by_itself,
                "The highest emission of each step ignores what the transitions say.",
            ),
            Mistake(
                "greedy from the left",
                _greedy,
                "What is best up to here may lead into a bad transition; keep a score for every tag, and decide at the end.",
            ),
            Mistake(
                "the best tag of every step's scores",
                _best_of_each_step,
                "The scores at a step are of paths that end there, and the whole path may go through another tag. Go back from "
                "the end.",
            ),
            Mistake("transitions turned", _turned_path, "transitions[i, j] is from tag i to tag j."),
            Mistake("end is forgotten", _path_without_end, "Add end to the scores before the last tag is chosen."),
            Mistake("last tag first", _backwards, "The path is found from the end; turn it round."),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.nn.CRF", "minidil.ops.crf.viterbi"),
    ),
)
