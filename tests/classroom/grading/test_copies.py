"""Near copies: found under other names, and not where two wrote the same few lines."""

from classroom.submissions import POINTS, solution

from minidil.classroom.grading.copies import LEAST, pairs, runs, share, without


def whole(way: int) -> str:
    return "\n\n".join(solution(exercise, way) for exercise in POINTS)


def test_other_names_comments_and_texts_change_nothing() -> None:
    source = whole(0)
    other = source.replace("span", "reach").replace("image", "picture").replace("channel", "k9")
    other = "# mine\n" + other.replace(
        "    cols = np.empty", '    """What it does."""\n    # a comment\n    cols = np.empty'
    )
    assert runs(other) == runs(source)
    assert share(runs(source), runs(other)) == 1.0


def test_a_change_of_the_program_shows() -> None:
    one, other = runs(whole(0)), runs(whole(0).replace("row += 1", "row = row + 2"))
    assert 0.9 < share(one, other) < 1


def test_ways_to_write_it_are_told_apart() -> None:
    programs = {str(way): runs("\n\n".join(solution(each, way) for each in ("ex03_2", "ex03_3"))) for way in range(5)}
    assert pairs(programs, 0.6) == []


def test_short_programs_are_never_named() -> None:
    short = runs(solution("ex03_1"))
    assert sum(short.values()) < LEAST
    assert share(short, short) == 0.0


def test_what_was_given_does_not_count() -> None:
    given = runs("def my_im2col(x, kernel_size, stride, dilation):\n    pass")
    assert without(given, given) == {}
    assert sum(without(runs(solution("ex03_2")), given).values()) < sum(runs(solution("ex03_2")).values())


def test_pairs_come_with_the_most_alike_first() -> None:
    programs = {
        "b": runs(whole(0)),
        "a": runs(whole(0) + "\nx = 1\ny = [2, 3]"),
        "c": runs(whole(0)),
        "d": runs(whole(1)),
    }
    found = pairs(programs, 0.9)
    assert [pair[:2] for pair in found] == [("b", "c"), ("a", "b"), ("a", "c")]
    assert found[0][2] == 1.0


def test_what_is_no_python_counts_up_to_there() -> None:
    assert runs("%matplotlib inline\nx = 1\ny = 2 ** x\nz = '''never ends") != {}
    assert runs("") == {}
