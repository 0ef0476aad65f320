"""The listening page in a real browser: it plays, from the keyboard too; blind, it hides and reveals and remembers."""

import json

ROWS, ARMS = 2, 3


def test_every_player_has_sound(opened):
    page = opened("listen.html")
    players = page.locator("audio")
    assert players.count() == ROWS * ARMS
    for player in players.all():
        player.evaluate("(audio) => { audio.preload = 'auto'; audio.load() }")
    page.wait_for_function("() => [...document.querySelectorAll('audio')].every((audio) => audio.readyState > 2)")
    for player in players.all():
        assert 0.7 < player.evaluate("(audio) => audio.duration") < 0.9
        assert player.evaluate("(audio) => audio.error") is None
    players.nth(1).evaluate("(audio) => audio.play()")
    page.wait_for_function("() => document.querySelectorAll('audio')[1].currentTime > 0")


def playing(page):
    return page.locator("audio").evaluate_all("(all) => all.flatMap((audio, place) => (audio.paused ? [] : [place]))")


def loop(page):
    """Short clips would end under the test's fingers."""
    page.locator("audio").evaluate_all("(all) => all.forEach((audio) => { audio.loop = true })")


def test_the_keyboard_plays_one_take_at_a_time(opened):
    page = opened("listen.html")
    loop(page)
    for key, expected in (
        ("1", [0]),
        ("3", [2]),
        ("ArrowRight", [0]),
        ("ArrowLeft", [2]),
        ("j", [3]),
        ("2", [4]),
        ("k", [0]),
    ):
        page.keyboard.press(key)
        page.wait_for_function(
            "(n) => document.querySelectorAll('audio')[n].closest('.take').classList.contains('playing')",
            arg=expected[0],
        )
        assert playing(page) == expected, key
        assert page.locator(".take.playing audio").count() == 1
    page.keyboard.press(" ")
    assert playing(page) == []
    page.keyboard.press("9")
    assert playing(page) == [], "there is no ninth take"


def test_switching_keeps_the_moment(opened):
    page = opened("listen.html")
    loop(page)
    for player in page.locator("audio").all():
        player.evaluate("(audio) => { audio.preload = 'auto'; audio.load() }")
    page.wait_for_function("() => [...document.querySelectorAll('audio')].every((audio) => audio.readyState > 2)")
    page.keyboard.press("1")
    page.wait_for_function("() => document.querySelectorAll('audio')[0].currentTime > 0.2")
    page.keyboard.press("2")
    assert page.locator("audio").nth(1).evaluate("(audio) => audio.currentTime") >= 0.2


def test_blind_mode_hides_shuffles_reveals_and_hands_out_the_answers(opened, tmp_path):
    page = opened("listen.html")
    arms, pictures = page.locator(".take .arm"), page.locator(".take .pictures")
    own = page.locator(".take").evaluate_all("(takes) => takes.map((take) => take.dataset.arm)")
    assert arms.first.is_visible()
    assert not page.locator(".ask").first.is_visible()

    page.keyboard.press("b")
    assert not any(one.is_visible() for one in [*arms.all(), *pictures.all()])
    hidden = page.locator(".take").evaluate_all("(takes) => takes.map((take) => take.dataset.arm)")
    assert hidden != own
    assert sorted(hidden[:ARMS]) == sorted(own[:ARMS]), "a take stays in its row"
    assert page.locator(".take .letter").all_inner_texts() == ["A", "B", "C"] * ROWS
    assert "baseline" not in page.locator(".takes").first.inner_text()

    page.locator(".takes").first.locator("[data-question='develops most']").nth(1).check()
    page.locator(".takes").nth(1).locator("[data-question='develops most']").nth(2).check()
    page.keyboard.press("r")
    assert all(one.is_visible() for one in arms.all())
    assert page.locator(".take").evaluate_all("(takes) => takes.map((take) => take.dataset.arm)") == hidden
    assert hidden[1] in page.locator("#tally").inner_text()

    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "answers.json")
    record = json.loads((tmp_path / "answers.json").read_text())
    assert record["revealed"] is True
    first, second = record["answers"]
    assert first["order"] == dict(zip("ABC", hidden[:ARMS], strict=True))
    assert first["develops most"] == hidden[1]
    assert second["develops most"] == hidden[ARMS + 2]
    assert first["preferred"] is None

    page.keyboard.press("b")
    page.keyboard.press("b")
    assert page.locator(".take").evaluate_all("(takes) => takes.map((take) => take.dataset.arm)") == own
    assert page.locator("input:checked").count() == 0, "a new blind round starts afresh"
