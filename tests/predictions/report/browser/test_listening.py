"""The listening page in a browser: playing, the keyboard, and blind mode."""

import json

import pytest

ROWS, ARMS = 2, 3
LOADED = "() => [...document.querySelectorAll('audio')].every((audio) => audio.readyState > 2)"


@pytest.fixture
def page(opened):
    return opened("listen.html")


def load(page):
    """Load the audio of every player."""
    page.locator("audio").evaluate_all("(all) => all.forEach((audio) => { audio.preload = 'auto'; audio.load() })")
    page.wait_for_function(LOADED)


def loop(page):
    """Let every player loop, because the clips are shorter than a test."""
    page.locator("audio").evaluate_all("(all) => all.forEach((audio) => { audio.loop = true })")


def playing(page):
    """The indices of the players that play."""
    return page.locator("audio").evaluate_all("(all) => all.flatMap((audio, index) => (audio.paused ? [] : [index]))")


def order(page):
    """The arms of all takes, in the order of the page."""
    return page.locator(".take").evaluate_all("(takes) => takes.map((take) => take.dataset.arm)")


def test_every_player_loads_a_clip_of_its_length(page):
    players = page.locator("audio")
    assert players.count() == ROWS * ARMS
    load(page)
    for player in players.all():
        assert 0.7 < player.evaluate("(audio) => audio.duration") < 0.9
        assert player.evaluate("(audio) => audio.error") is None


def test_a_player_plays(page):
    load(page)
    page.locator("audio").nth(1).evaluate("(audio) => audio.play()")
    page.wait_for_function("() => document.querySelectorAll('audio')[1].currentTime > 0")


def press(page, key, expected):
    """Press a key and wait until the take with the index `expected` is marked as playing."""
    page.keyboard.press(key)
    page.wait_for_function(
        "(n) => document.querySelectorAll('audio')[n].closest('.take').classList.contains('playing')", arg=expected
    )


def test_the_keyboard_plays_one_take_at_a_time(page):
    loop(page)
    steps = [("1", 0), ("3", 2), ("ArrowRight", 0), ("ArrowLeft", 2), ("j", 3), ("2", 4), ("k", 0)]
    for key, expected in steps:
        press(page, key, expected)
        assert playing(page) == [expected], key
        assert page.locator(".take.playing audio").count() == 1


def test_the_space_bar_pauses_and_resumes(page):
    loop(page)
    press(page, "2", 1)
    page.keyboard.press(" ")
    assert playing(page) == []
    page.keyboard.press(" ")
    assert playing(page) == [1]


def test_the_number_of_a_missing_take_does_nothing(page):
    loop(page)
    press(page, "1", 0)
    page.keyboard.press("9")
    assert playing(page) == [0]


def test_switching_to_another_take_of_a_row_keeps_the_time(page):
    loop(page)
    load(page)
    page.keyboard.press("1")
    page.wait_for_function("() => document.querySelectorAll('audio')[0].currentTime > 0.2")
    page.keyboard.press("2")
    assert page.locator("audio").nth(1).evaluate("(audio) => audio.currentTime") >= 0.2


def test_arms_are_visible_and_questions_hidden_at_first(page):
    assert page.locator(".take .arm").first.is_visible()
    assert not page.locator(".ask").first.is_visible()


def test_blind_mode_hides_arms_and_pictures(page):
    page.keyboard.press("b")
    hidden = [*page.locator(".take .arm").all(), *page.locator(".take .pictures").all()]
    assert len(hidden) == 2 * ROWS * ARMS
    assert not any(one.is_visible() for one in hidden)
    assert "baseline" not in page.locator(".takes").first.inner_text()
    assert page.locator(".take .letter").all_inner_texts() == ["A", "B", "C"] * ROWS


def test_blind_mode_shuffles_within_rows(page):
    original = order(page)
    page.keyboard.press("b")
    shuffled = order(page)
    assert shuffled != original
    assert sorted(shuffled[:ARMS]) == sorted(original[:ARMS])
    assert sorted(shuffled[ARMS:]) == sorted(original[ARMS:])


def answer(page):
    """Enter blind mode and choose the second take of the first row and the third of the second; the shuffled order."""
    page.keyboard.press("b")
    page.locator(".takes").first.locator("[data-question='develops most']").nth(1).check()
    page.locator(".takes").nth(1).locator("[data-question='develops most']").nth(2).check()
    return order(page)


def test_reveal_shows_arms_in_the_blind_order_and_counts_answers(page):
    blind = answer(page)
    page.keyboard.press("r")
    assert all(one.is_visible() for one in page.locator(".take .arm").all())
    assert order(page) == blind
    tally = page.locator("#tally").inner_text()
    assert blind[1] in tally
    assert blind[ARMS + 2] in tally


@pytest.mark.parametrize("revealed", [False, True])
def test_downloaded_answers_name_the_chosen_arms(page, tmp_path, revealed):
    blind = answer(page)
    if revealed:
        page.keyboard.press("r")
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "answers.json")
    record = json.loads((tmp_path / "answers.json").read_text())
    assert record["revealed"] is revealed
    first, second = record["answers"]
    assert first["order"] == dict(zip("ABC", blind[:ARMS], strict=True))
    assert first["develops most"] == blind[1]
    assert second["develops most"] == blind[ARMS + 2]
    assert first["preferred"] is None


def test_a_new_blind_round_begins_without_answers(page):
    answer(page)
    page.keyboard.press("r")
    page.keyboard.press("b")
    assert page.locator("input:checked").count() == 0


def test_leaving_blind_mode_restores_the_original_order(page):
    original = order(page)
    page.keyboard.press("b")
    page.keyboard.press("b")
    assert order(page) == original
    assert page.locator(".take .arm").first.is_visible()
