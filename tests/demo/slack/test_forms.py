"""From what people enter to what apps receive."""

from typing import Any

import pytest

from demo.slack import forms
from demo.slack.errors import SlackError
from tests.demo.slack.conftest import actions, button, section, text_field


def field(kind: str, block_id: str = "b", *, optional: bool = False, **details: Any) -> dict[str, Any]:
    element = {"type": kind, "action_id": "a", **details}
    label = {"type": "plain_text", "text": "L"}
    return {"type": "input", "block_id": block_id, "label": label, "element": element, "optional": optional}


def option(value: str) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": value.title()}, "value": value}


OPTIONS = [option("one"), option("two")]


@pytest.mark.parametrize(
    ("block", "entered", "expected"),
    [
        (field("plain_text_input"), "why", {"type": "plain_text_input", "value": "why"}),
        (field("plain_text_input"), "", {"type": "plain_text_input", "value": None}),
        (field("number_input", is_decimal_allowed=False), 3, {"type": "number_input", "value": "3"}),
        (field("static_select", options=OPTIONS), "two", {"type": "static_select", "selected_option": OPTIONS[1]}),
        (field("radio_buttons", options=OPTIONS), None, {"type": "radio_buttons", "selected_option": None}),
        (field("checkboxes", options=OPTIONS), ["one"], {"type": "checkboxes", "selected_options": [OPTIONS[0]]}),
        (field("users_select"), "U1", {"type": "users_select", "selected_user": "U1"}),
        (field("multi_users_select"), ["U1"], {"type": "multi_users_select", "selected_users": ["U1"]}),
        (field("conversations_select"), "C1", {"type": "conversations_select", "selected_conversation": "C1"}),
        (field("channels_select"), "C1", {"type": "channels_select", "selected_channel": "C1"}),
        (field("datepicker"), "2026-11-21", {"type": "datepicker", "selected_date": "2026-11-21"}),
    ],
)
def test_each_kind_of_field_reports_its_value_in_its_own_way(block: Any, entered: Any, expected: Any) -> None:
    assert forms.state([block], {"b": {"a": entered}}) == {"b": {"a": expected}}
    assert forms.state([block], {"a": entered}) == {"b": {"a": expected}}


def test_untouched_fields_report_their_initial_values() -> None:
    blocks = [
        field("plain_text_input", "text", initial_value="x"),
        field("static_select", "menu", options=OPTIONS, initial_option=OPTIONS[0]),
        field("checkboxes", "boxes", options=OPTIONS),
    ]
    state = forms.state(blocks, {})
    assert state["text"]["a"]["value"] == "x"
    assert state["menu"]["a"]["selected_option"] == OPTIONS[0]
    assert state["boxes"]["a"]["selected_options"] == []


def test_what_is_held_stays_unless_it_is_entered_anew() -> None:
    blocks = [field("plain_text_input", "one"), field("plain_text_input", "two")]
    held = forms.state(blocks, {"one": "1", "two": "2"})
    assert forms.state(blocks, {"two": "3"}, held)["one"]["a"]["value"] == "1"
    assert forms.state(blocks, {"two": "3"}, held)["two"]["a"]["value"] == "3"


def test_an_option_that_is_not_offered_is_refused() -> None:
    with pytest.raises(SlackError, match="invalid_arguments"):
        forms.state([field("static_select", options=OPTIONS)], {"b": "three"})


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(SlackError) as caught:
        forms.state([section("x")], {"nowhere": "x"})
    assert "nowhere" in caught.value.messages[0]


def test_buttons_and_overflow_menus_hold_no_state() -> None:
    overflow = {"type": "overflow", "action_id": "o", "options": OPTIONS}
    assert forms.state(actions(button("a"), overflow), {}) == {}


@pytest.mark.parametrize(
    ("block", "entered", "complaint"),
    [
        (field("plain_text_input"), "", forms.REQUIRED),
        (field("plain_text_input", min_length=3), "ab", "Please enter at least 3 characters."),
        (field("plain_text_input", max_length=3), "abcd", "Please enter no more than 3 characters."),
        (field("number_input", is_decimal_allowed=False), "x", "Please enter a valid number."),
        (field("number_input", is_decimal_allowed=True), "NaN", "Please enter a valid number."),
        (field("number_input", is_decimal_allowed=False), "1.5", "Please enter a whole number."),
        (field("number_input", is_decimal_allowed=True, min_value="1"), "0.5", "Please enter a number of at least 1."),
        (field("number_input", is_decimal_allowed=True, max_value="9"), "10", "Please enter a number of at most 9."),
        (field("email_text_input"), "ana", "Please enter a valid email address."),
        (field("url_text_input"), "ftp://x", "Please enter a valid URL."),
        (field("checkboxes", options=OPTIONS), [], forms.REQUIRED),
    ],
)
def test_slacks_client_objects_before_the_app_is_asked(block: Any, entered: Any, complaint: str) -> None:
    assert forms.complaints([block], forms.state([block], {"b": {"a": entered}})) == {"b": complaint}


def test_good_and_optional_values_pass() -> None:
    blocks = [
        field("number_input", "n", is_decimal_allowed=False, min_value="1", max_value="9"),
        field("plain_text_input", "t", optional=True),
        section("text"),
    ]
    assert forms.complaints(blocks, forms.state(blocks, {"n": "9"})) == {}


def test_elements_are_found_in_attachments_and_by_block() -> None:
    content = {
        "blocks": actions(button("a")),
        "attachments": [{"blocks": [{**actions(button("b"))[0], "block_id": "x"}]}],
    }
    every = forms.all_blocks(content)
    found = forms.find(every, "b")
    assert found is not None
    assert found[0]["block_id"] == "x"
    assert forms.find(every, "b", "buttons") is None
    assert next(forms.elements(text_field("r")))["action_id"] == "text"
