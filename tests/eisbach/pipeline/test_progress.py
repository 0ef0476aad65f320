from rich.progress import Progress

from eisbach.pipeline.progress import Rate, track


def test_items_pass_in_their_order():
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_the_rate_is_of_items_a_second():
    times = iter(0.5 * tick for tick in range(1000))
    progress = Progress(Rate(), get_time=lambda: next(times), disable=False, auto_refresh=False)
    task = progress.add_task("", total=100)
    assert Rate().render(progress.tasks[0]).plain == ""
    for _ in range(20):
        progress.advance(task)
    shown = Rate().render(progress.tasks[0]).plain
    assert shown == f"{progress.tasks[0].speed:.2f}/s"
    assert 0 < progress.tasks[0].speed <= 2  # an item takes one look at the clock or more
