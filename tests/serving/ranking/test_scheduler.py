"""Requests that wait take each step together, and each gets its own answer."""

import asyncio
import contextlib
import gc
import threading
import time
import weakref

import pytest

from serving.ranking.request_trace import DeadlineError
from serving.ranking.scheduler import MAX_BATCH, MAX_BATCH_SECONDS, Later, Scheduler


class Recorder:
    """Work that notes its steps, and can be held up."""

    def __init__(self):
        self.steps = []
        self.begun, self.free = threading.Event(), threading.Event()

    def work(self, name, held=False, fails=""):
        def prepare():
            self.steps.append(f"prepare {name}")
            if fails == "prepare":
                raise ValueError(name)
            return finish

        def finish():
            if held:
                self.begun.set()
                assert self.free.wait(30)
            self.steps.append(f"finish {name}")
            if fails == "finish":
                raise ValueError(name)
            return name.encode()

        return prepare


async def begun(recorder):
    while not recorder.begun.is_set():
        await asyncio.sleep(0.001)


def behind_one_that_is_held(names, threads=1, fails=()):
    """Hold one request up, let others wait behind it, then let it go on."""

    async def main():
        scheduler, recorder = Scheduler(threads), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        others = [asyncio.ensure_future(scheduler.run(recorder.work(n, fails=dict(fails).get(n, "")))) for n in names]
        await asyncio.sleep(0)
        recorder.free.set()
        return await asyncio.gather(first, *others, return_exceptions=True), recorder.steps

    return asyncio.run(main())


def test_those_that_wait_are_prepared_together_and_finished_in_their_order():
    answers, steps = behind_one_that_is_held(["a", "b", "c"])
    assert answers == [b"first", b"a", b"b", b"c"]
    assert steps == [
        *("prepare first", "finish first"),
        *("prepare a", "prepare b", "prepare c"),
        *("finish a", "finish b", "finish c"),
    ]


def test_no_more_than_so_many_are_prepared_together():
    names = [f"{i}" for i in range(MAX_BATCH + 3)]
    answers, steps = behind_one_that_is_held(names)
    assert answers[1:] == [name.encode() for name in names]
    first, rest = steps[2 : 2 + 2 * MAX_BATCH], steps[2 + 2 * MAX_BATCH :]
    for group, chosen in ((first, names[:MAX_BATCH]), (rest, names[MAX_BATCH:])):
        assert group == [f"prepare {name}" for name in chosen] + [f"finish {name}" for name in chosen]


@pytest.mark.parametrize("step", ["prepare", "finish"])
def test_one_that_fails_gets_its_error_and_the_others_their_answers(step):
    answers, steps = behind_one_that_is_held(["a", "b", "c"], fails=[("b", step)])
    assert [answers[i] for i in (0, 1, 3)] == [b"first", b"a", b"c"]
    assert isinstance(answers[2], ValueError)
    assert ("finish b" in steps) == (step == "finish")


def test_threads_share_those_that_wait():
    async def main():
        scheduler, recorder = Scheduler(2), Recorder()
        held = [asyncio.ensure_future(scheduler.run(recorder.work("first", held=True))) for _ in range(2)]
        while recorder.steps.count("prepare first") < 2:
            await asyncio.sleep(0.001)
        both = threading.Barrier(2)  # passed only where two threads come to it

        def prepare():
            both.wait(30)
            return lambda: b"done"

        others = [asyncio.ensure_future(scheduler.run(prepare)) for _ in range(2)]
        await asyncio.sleep(0)
        recorder.free.set()
        return await asyncio.gather(*held, *others)

    assert asyncio.run(main()) == [b"first"] * 2 + [b"done"] * 2


def test_a_thread_that_was_idle_takes_the_next():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        return [await scheduler.run(recorder.work(name)) for name in "abc"]

    assert asyncio.run(main()) == [b"a", b"b", b"c"]


def test_a_deadline_that_passes_before_the_turn_withdraws_the_request():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        with pytest.raises(DeadlineError):
            await scheduler.run(recorder.work("late"), deadline=time.monotonic() + 0.05)
        recorder.free.set()
        assert await first == b"first"
        assert await scheduler.run(recorder.work("next"), deadline=time.monotonic() + 30) == b"next"
        return recorder.steps

    assert not [step for step in asyncio.run(main()) if "late" in step]


def test_a_deadline_that_passes_during_a_step_is_not_waited_out():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        taken = asyncio.ensure_future(scheduler.run(recorder.work("slow", held=True), deadline=time.monotonic() + 0.05))
        await begun(recorder)
        with pytest.raises(DeadlineError):
            await taken
        recorder.free.set()
        return await scheduler.run(recorder.work("next"))

    assert asyncio.run(main()) == b"next"


def test_a_deadline_that_passes_between_the_steps_is_not_waited_out():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        slow = Recorder()
        others = [
            asyncio.ensure_future(scheduler.run(slow.work("slow", held=True))),
            asyncio.ensure_future(scheduler.run(recorder.work("late"), deadline=time.monotonic() + 0.3)),
        ]
        await asyncio.sleep(0)
        recorder.free.set()
        await first
        await begun(slow)
        with pytest.raises(DeadlineError):
            await others[1]
        assert not others[0].done()
        slow.free.set()
        assert await others[0] == b"slow"
        return recorder.steps

    assert asyncio.run(main())[2:] == ["prepare late"]


def test_one_that_is_cancelled_is_not_worked_on():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        left = asyncio.ensure_future(scheduler.run(recorder.work("left")))
        await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        recorder.free.set()
        assert [await first, await scheduler.run(recorder.work("next"))] == [b"first", b"next"]
        return recorder.steps

    assert not [step for step in asyncio.run(main()) if "left" in step]


def test_one_that_is_prepared_slowly_holds_the_others_up_no_longer():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)

        def slowly():
            time.sleep(2 * MAX_BATCH_SECONDS)
            return recorder.work("slow")()

        others = [asyncio.ensure_future(scheduler.run(work)) for work in (slowly, recorder.work("next"))]
        await asyncio.sleep(0)
        recorder.free.set()
        await asyncio.gather(first, *others)
        return recorder.steps[2:]

    assert asyncio.run(main()) == ["prepare slow", "finish slow", "prepare next", "finish next"]


def steps_of_three(seconds=0.0):
    """What is done for "a" and "b" that wait behind another, each in three steps of which the second takes a while."""
    done = []

    def work(name):
        def prepare():
            done.append(f"prepare {name}")
            return score

        def score():
            time.sleep(seconds)
            done.append(f"score {name}")
            return answer

        def answer():
            done.append(f"answer {name}")
            return name.encode()

        return prepare

    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        others = [asyncio.ensure_future(scheduler.run(work(name))) for name in "ab"]
        await asyncio.sleep(0)
        recorder.free.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(main()) == [b"first", b"a", b"b"]
    return done


def test_each_step_is_taken_together():
    assert steps_of_three() == ["prepare a", "prepare b", "score a", "score b", "answer a", "answer b"]


def test_an_answer_does_not_wait_for_one_that_is_scored_slowly():
    slow = ["prepare a", "prepare b", "score a", "answer a", "score b", "answer b"]
    assert steps_of_three(2 * MAX_BATCH_SECONDS) == slow


def test_an_answer_does_not_wait_for_others_that_are_written_slowly():
    async def main():
        scheduler, recorder = Scheduler(1), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        told = threading.Event()

        def slow():
            time.sleep(2 * MAX_BATCH_SECONDS)
            return b"slow"

        def behind():
            assert told.wait(30)  # longer than it would take for both to be told together
            return b"behind"

        steps = [asyncio.ensure_future(scheduler.run(lambda s=step: lambda: lambda: s())) for step in (slow, behind)]
        await asyncio.sleep(0)
        recorder.free.set()
        assert [await first, await steps[0]] == [b"first", b"slow"]
        told.set()
        return await steps[1]

    assert asyncio.run(main()) == b"behind"


def test_nobody_is_told_of_an_error_behind_the_deadline():
    def fail():
        raise ValueError("wrong")

    async def main():
        complaints = []  # asyncio's, of an error that nobody asks for
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        scheduler, recorder, other = Scheduler(1), Recorder(), Recorder()
        first = asyncio.ensure_future(scheduler.run(recorder.work("first", held=True)))
        await begun(recorder)
        failed = asyncio.ensure_future(scheduler.run(fail, deadline=time.monotonic() + 0.2))
        beside = asyncio.ensure_future(scheduler.run(other.work("beside", held=True)()))  # held in the step that fails
        await asyncio.sleep(0)
        recorder.free.set()
        await begun(other)
        with pytest.raises(DeadlineError):
            await failed
        other.free.set()
        assert [await first, await beside] == [b"first", b"beside"]
        del failed
        gc.collect()
        return complaints

    assert asyncio.run(main()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopIteration, SystemExit])
@pytest.mark.parametrize("step", ["prepare", "finish"])
def test_whatever_is_raised_the_thread_goes_on(error, step):
    def fail():
        raise error("by a library")

    async def main():
        scheduler = Scheduler(1)
        with pytest.raises(RuntimeError, match=f"{error.__name__}.'by a library'"):
            await scheduler.run(fail if step == "prepare" else lambda: fail)
        return await scheduler.run(lambda: lambda: b"next")

    assert asyncio.run(main()) == b"next"


@pytest.mark.parametrize("step", ["prepare", "finish"])
def test_a_request_that_failed_is_let_go_of_at_once(step):
    class Body:
        pass

    def failing(body):
        def fail():
            assert body
            raise ValueError("wrong")

        return fail if step == "prepare" else lambda: fail

    async def main():
        scheduler = Scheduler(1)
        body = Body()
        kept = weakref.ref(body)
        with contextlib.suppress(ValueError):  # pytest.raises would keep it
            await scheduler.run(failing(body), deadline=time.monotonic() + 30)
        del body
        await scheduler.run(lambda: lambda: b"next")
        return kept()

    gc.disable()
    try:
        assert asyncio.run(main()) is None
    finally:
        gc.enable()


class Elsewhere:
    """Work in another process, ended by the test."""

    def __init__(self):
        self.begun, self.done, self.cancelled = threading.Event(), None, False

    def start(self, done):
        self.done = done
        self.begun.set()

    def cancel(self):
        self.cancelled = True


def test_work_elsewhere_keeps_no_thread_and_goes_on_before_new_requests():
    async def main():
        scheduler, recorder, works = Scheduler(1), Recorder(), [Elsewhere(), Elsewhere()]
        away = [
            asyncio.ensure_future(scheduler.run(lambda w=w, n=n: Later(w, lambda: recorder.steps.append(n) or b"far")))
            for n, w in enumerate(works)
        ]
        await asyncio.to_thread(lambda: [work.begun.wait(30) for work in works])
        assert await scheduler.run(recorder.work("near")) == b"near"  # by the only thread
        held = asyncio.ensure_future(scheduler.run(recorder.work("held", held=True)))
        await begun(recorder)
        new = asyncio.ensure_future(scheduler.run(recorder.work("new")))
        await asyncio.sleep(0)
        works[1].done()
        works[0].done()
        recorder.free.set()
        assert await asyncio.gather(*away, held, new) == [b"far", b"far", b"held", b"new"]
        order = [step for step in recorder.steps if step in (0, 1, "prepare new")]
        assert order == [1, 0, "prepare new"]
        assert not any(work.cancelled for work in works)

    asyncio.run(main())


def test_work_elsewhere_is_cancelled_with_its_request_and_may_fail_to_start():
    class Unwilling(Elsewhere):
        def start(self, _):
            raise ValueError("nobody is there")

    async def main():
        scheduler, work, steps = Scheduler(1), Elsewhere(), []
        step = lambda: Later(work, lambda: steps.append("late") or b"late")  # noqa: E731
        with pytest.raises(DeadlineError):
            await scheduler.run(step, deadline=time.monotonic() + 0.5)  # behind its start
        assert work.cancelled
        work.done()
        with pytest.raises(ValueError, match="nobody is there"):
            await scheduler.run(lambda: Later(Unwilling(), lambda: b"never"))
        assert await scheduler.run(lambda: lambda: b"next") == b"next"
        assert steps == []

    asyncio.run(main())
