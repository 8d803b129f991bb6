"""What is logged, and how often."""

from serving.logs import Problems


def test_a_problem_is_told_once_until_it_is_over_or_another():
    problems = Problems()
    assert "disk" not in problems
    assert [problems.note("disk", text) for text in ("full", "full", "gone", "gone")] == [True, False, True, False]
    assert problems.note("other", "full")
    assert "disk" in problems
    assert [problems.end("disk"), problems.end("disk")] == [True, False]
    assert "disk" not in problems
    assert problems.note("disk", "gone")
