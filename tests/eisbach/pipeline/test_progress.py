from rich.progress import Progress

from eisbach.pipeline.progress import Rate, track


def test_items_are_yielded_in_order():
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def shown_after(items):
    """The shown rate after `items` items, half a second apart, and the task."""
    now = [0.0]
    progress = Progress(Rate(), get_time=lambda: now[0], disable=False, auto_refresh=False)
    task = progress.add_task("", total=1000)
    for _ in range(items):
        now[0] += 0.5
        progress.advance(task)
    return Rate().render(progress.tasks[0]).plain


def test_the_rate_is_empty_before_the_first_items():
    assert shown_after(0) == ""


def test_the_rate_is_in_items_per_second():
    assert shown_after(20) == "2.00/s"
