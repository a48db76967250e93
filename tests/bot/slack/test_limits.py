"""What leaves the makers of blocks is within Slack's limits, and what people can press is never what is cut."""

import math
import re
from dataclasses import replace

from bot.domain import diagnoses
from bot.slack.blocks import incident, limits, messages, text, thread
from tests.bot.slack import building, checking


def _row(number: int = 1) -> list[messages.Block]:
    return limits.actions([limits.button("Approve", f"a{number}", "1:-")])


def test_too_many_blocks_are_counted_and_the_buttons_stay() -> None:
    made = limits.message("x", [*(limits.section(str(n)) for n in range(70)), *_row()])
    checking.check_message(made)
    assert len(made.blocks) == 50
    assert checking.buttons(made) == ["Approve"]
    assert "22 more parts are not shown" in checking.shown(made)


def test_only_rows_of_buttons_are_too_many_as_well() -> None:
    made = limits.message("x", [block for n in range(60) for block in _row(n)])
    checking.check_message(made)


def test_a_message_that_is_too_large_in_all_loses_text_and_no_button() -> None:
    made = limits.message("x", [limits.section("word " * 590) for _ in range(12)], attached=_row(), color="#a30200")
    checking.check_message(made)
    assert checking.buttons(made) == ["Approve"]
    assert text.CUT in checking.shown(made)


def test_a_message_of_many_small_parts_that_is_too_large_loses_parts() -> None:
    many = [limits.context(*("x" * 50 for _ in range(10))) for _ in range(50)]
    checking.check_message(limits.message("x", many))
    checking.check_message(limits.message("x", [limits.header("y" * 150) for _ in range(50)]))
    widest = [limits.button(f"{n} " + "z" * 70, f"a{n}", "9" * 1900) for n in range(25)]
    checking.check_message(limits.message("x", limits.actions(widest)))


def test_a_view_has_room_for_a_hundred_blocks() -> None:
    view = limits.home([limits.section(str(n)) for n in range(130)])
    checking.check_view(view)
    assert len(view["blocks"]) == 100
    checking.check_view(limits.modal("A title that is far too long for Slack", [], callback_id="x", close="x" * 40))


def test_an_empty_context_and_an_empty_text_are_still_valid() -> None:
    checking.check_message(limits.message("", [limits.context(), limits.section(""), limits.divider()]))


def _lines_on_a_phone(rendered: str) -> int:
    """Lines of some 44 characters, with dates and mentions as short as they are shown."""
    words = re.sub(r"<!date[^>]*>", "Today 3:12 AM", rendered)
    words = re.sub(r"<(?:@|https)[^>]*>", "@Ana Ruiz", words)
    return sum(math.ceil(len(line) / 44) for line in words.split("\n") if line.strip("`"))


WORST = {
    "open-irreversible": 27,
    "open-after-rejection": 23,
    "open-remembered": 23,
    "open-two-needed": 25,
    "open-one-of-two": 27,
}
"""With a long diff, a warning, a memory of what was tried, or people to wait for and why: one thumb further."""


def test_a_parent_fits_on_a_phone() -> None:
    for name, card in building.every_incident().items():
        worst = WORST.get(name, 22)
        assert _lines_on_a_phone(checking.shown(incident.parent(card, pressable=False))) <= worst, name


def test_the_parent_never_has_more_parts_than_a_client_unfolds() -> None:
    for card in building.every_incident().values():
        for attachment in incident.parent(card).attachments:
            assert len(attachment["blocks"]) <= limits.ATTACHMENT_BLOCKS


def test_much_evidence_keeps_its_numbers_and_is_cut_fairly() -> None:
    log = "\n".join(f"ERROR {n} " + "x" * 150 for n in range(500))
    pieces = tuple(diagnoses.Evidence(n, "log", f"pod {n}", log) for n in range(1, 16))
    made = thread.evidence(replace(building.card(None), evidence=pieces))
    checking.check_message(made)
    words = checking.shown(made)
    assert all(f"*E{n}* · log" in words for n in range(1, thread.PIECES + 1))
    assert "Also in the record: *E9* pod 9" in words


def test_what_the_cause_cites_is_shown_however_much_evidence_there_is() -> None:
    pieces = tuple(diagnoses.Evidence(n, "usage", f"pod {n}", f"body {n}") for n in range(1, 41))
    card = building.card(None)
    assert card.diagnosis is not None
    cited = replace(card, evidence=pieces, diagnosis=replace(card.diagnosis, cites=(3, 39)))
    made = thread.evidence(cited)
    checking.check_message(made)
    words = checking.shown(made)
    assert "*E39* · usage" in words
    assert "body 39" in words
    assert "body 8" not in words, "the eighth in full gives way to what is cited"
    assert "and 20 more" in words
