"""Slack's limits: what fits exactly, what is one too long, and in which words it is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.slack.errors import SlackError
from demo.slack.limits import BLOCKS_CHARACTERS, blocks_size, check_message, check_view
from tests.demo.slack.conftest import actions, button, modal, section, text_field


def refused(*blocks: Any) -> list[str]:
    with pytest.raises(SlackError) as caught:
        check_message("text", list(blocks), None)
    assert caught.value.code == "invalid_blocks"
    return caught.value.messages


def verdict(blocks: list[Any]) -> str | None:
    """The code with which a message of these blocks is refused, or None."""
    try:
        check_message("text", blocks, None)
    except SlackError as error:
        return error.code
    return None


def accepted(*blocks: Any) -> None:
    check_message("text", list(blocks), None)


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def option(value: str = "v", text: str = "t") -> dict[str, Any]:
    return {"text": plain(text), "value": value}


def menu(*options: dict[str, Any], **details: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "menu", "options": list(options), **details}


def test_section_text_of_3000_characters_is_accepted_and_3001_refused() -> None:
    accepted(section("x" * 3_000))
    assert refused(section("x" * 3_001)) == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]


def test_empty_text_is_refused() -> None:
    assert refused(section("")) == ["[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"]


def test_fifty_blocks_are_accepted_and_fifty_one_refused() -> None:
    accepted(*[{"type": "divider"}] * 50)
    assert refused(*[{"type": "divider"}] * 51) == ["[ERROR] no more than 50 items allowed [json-pointer:/blocks]"]


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ({"type": "header", "text": plain("x" * 150)}, {"type": "header", "text": plain("x" * 151)}),
        (
            {"type": "section", "fields": [plain("x" * 2_000)]},
            {"type": "section", "fields": [plain("x" * 2_001)]},
        ),
        ({"type": "section", "fields": [plain("x")] * 10}, {"type": "section", "fields": [plain("x")] * 11}),
        ({"type": "context", "elements": [plain("x")] * 10}, {"type": "context", "elements": [plain("x")] * 11}),
        (
            {"type": "actions", "elements": [button(f"a{n}") for n in range(25)]},
            {"type": "actions", "elements": [button(f"a{n}") for n in range(26)]},
        ),
        (actions(button("a", "x" * 75))[0], actions(button("a", "x" * 76))[0]),
        (actions(button("a", value="x" * 2_000))[0], actions(button("a", value="x" * 2_001))[0]),
        (actions(button("a" * 255))[0], actions(button("a" * 256))[0]),
        ({"type": "divider", "block_id": "b" * 255}, {"type": "divider", "block_id": "b" * 256}),
        (actions(menu(*[option()] * 100))[0], actions(menu(*[option()] * 101))[0]),
        (actions(menu(option("v" * 150)))[0], actions(menu(option("v" * 151)))[0]),
        (actions(menu(option("v", "t" * 75)))[0], actions(menu(option("v", "t" * 76)))[0]),
        (
            actions(menu(option(), placeholder=plain("p" * 150)))[0],
            actions(menu(option(), placeholder=plain("p" * 151)))[0],
        ),
        (
            actions({"type": "overflow", "action_id": "o", "options": [option()] * 5})[0],
            actions({"type": "overflow", "action_id": "o", "options": [option()] * 6})[0],
        ),
    ],
)
def test_the_largest_is_accepted_and_one_more_is_refused(fits: dict[str, Any], too_much: dict[str, Any]) -> None:
    accepted(fits)
    assert refused(too_much)


@pytest.mark.parametrize(("key", "longest"), [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)])
def test_confirmation_dialogs_have_limits(key: str, longest: int) -> None:
    confirm = {"title": plain("t"), "text": plain("t"), "confirm": plain("y"), "deny": plain("n")}
    accepted(*actions(button("a", confirm=confirm | {key: plain("x" * longest)})))
    messages = refused(*actions(button("a", confirm=confirm | {key: plain("x" * (longest + 1))})))
    assert f"/confirm/{key}/text" in messages[0]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "carousel"}, "unsupported type: carousel"),
        ({"text": "x"}, "missing required field: type"),
        ({"type": "section"}, "missing required field: text or fields"),
        ({"type": "header"}, "missing required field: text"),
        ({"type": "actions"}, "missing required field: elements"),
        ({"type": "divider", "colour": "red"}, "invalid additional property: colour"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "must be one of: plain_text"),
        ({"type": "actions", "elements": []}, "no less than 1 items allowed"),
        (actions({"type": "plain_text_input", "action_id": "a"})[0], "unsupported type: plain_text_input"),
        (actions({"type": "button", "action_id": "a"})[0], "missing required field: text"),
        (actions(button("a", style="default"))[0], "must be one of: primary, danger"),
        (actions(menu())[0], "no less than 1 items allowed"),
        ({"type": "image", "alt_text": "x"}, "missing required field: image_url"),
        ("not a block", "must provide an object"),
    ],
)
def test_malformed_blocks_are_refused_by_name(block: Any, problem: str) -> None:
    assert any(problem in message for message in refused(block))


def test_block_ids_are_unique_in_a_message_and_action_ids_in_a_block() -> None:
    assert (
        "`block_id` already exists"
        in refused({"type": "divider", "block_id": "b"}, {"type": "divider", "block_id": "b"})[0]
    )
    assert "`action_id` already exists" in refused(*actions(button("a"), button("a")))[0]
    accepted(*actions(button("a")), {"type": "actions", "elements": [button("a")]})


def test_an_initial_option_must_be_one_of_the_options() -> None:
    accepted(*actions(menu(option("a"), initial_option=option("a"))))
    assert "initial_option" in refused(*actions(menu(option("a"), initial_option=option("b"))))[0]


def test_a_message_needs_text_or_blocks_or_attachments() -> None:
    with pytest.raises(SlackError, match="no_text"):
        check_message("", None, None)
    with pytest.raises(SlackError, match="no_text"):
        check_message("", [], [])
    assert check_message("", [{"type": "divider"}], None) == ["missing_text_in_message"]


def test_long_text_is_warned_about_then_refused() -> None:
    assert check_message("x" * 4_000, None, None) == []
    assert check_message("x" * 4_001, None, None) == ["message_truncated"]
    with pytest.raises(SlackError, match="msg_too_long"):
        check_message("x" * 40_001, None, None)


def test_blocks_in_attachments_are_checked_and_named_by_their_place() -> None:
    with pytest.raises(SlackError) as caught:
        check_message("t", None, [{"color": "#a30200", "blocks": [section("x" * 3_001)]}])
    assert "[json-pointer:/attachments/0/blocks/0/text/text]" in caught.value.messages[0]


def test_more_than_a_hundred_attachments_are_refused() -> None:
    check_message("t", None, [{"text": "x"}] * 100)
    with pytest.raises(SlackError, match="too_many_attachments"):
        check_message("t", None, [{"text": "x"}] * 101)


@pytest.mark.parametrize(
    "attachment", [{"text": "x", "colour": "red"}, {"text": 5}, "text", {"text": "x", "color": []}]
)
def test_a_malformed_attachment_is_refused(attachment: Any) -> None:
    with pytest.raises(SlackError, match="invalid_attachments"):
        check_message("t", None, [attachment])


def test_the_sum_of_all_blocks_is_limited() -> None:
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message("t", [section("x" * 2_900)] * 5, None)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message("t", [section("x" * 2_900)] * 2, [{"blocks": [section("x" * 2_900)] * 3}])


@given(st.lists(st.text(min_size=1, max_size=600), min_size=1, max_size=40))
def test_a_message_is_accepted_exactly_when_its_blocks_are_small_enough(texts: list[str]) -> None:
    blocks = [section(text) for text in texts]
    expected = "msg_blocks_too_long" if blocks_size(blocks, None) > BLOCKS_CHARACTERS else None
    assert verdict(blocks) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "elements", "fields", "options", "value", "element"]), inner)
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(["section", "actions", "context", "header", "input", "image", "rich_text", "table", "markdown"])


@given(
    st.lists(st.dictionaries(st.sampled_from(["text", "elements", "fields", "element", "label"]), JSON), max_size=3),
    KINDS,
)
def test_nonsense_is_refused_and_never_breaks_the_check(blocks: list[dict[str, Any]], kind: str) -> None:
    for block in blocks:
        block["type"] = kind
    assert verdict(blocks) in (None, "invalid_blocks", "msg_blocks_too_long")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"event_type": "t"}, "invalid_metadata_format"),
        ({"event_payload": {}}, "invalid_metadata_format"),
        ([], "invalid_metadata_format"),
        ({"event_type": "t", "event_payload": {"x": "y" * 9_000}}, "metadata_too_large"),
    ],
)
def test_metadata_is_checked(metadata: Any, code: str) -> None:
    with pytest.raises(SlackError, match=code):
        check_message("t", None, None, metadata)


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ({"title": plain("x" * 24)}, {"title": plain("x" * 25)}),
        ({"submit": plain("x" * 24)}, {"submit": plain("x" * 25)}),
        ({"close": plain("x" * 24)}, {"close": plain("x" * 25)}),
        ({"private_metadata": "x" * 3_000}, {"private_metadata": "x" * 3_001}),
        ({"callback_id": "x" * 255}, {"callback_id": "x" * 256}),
        ({"blocks": [section("x")] * 100}, {"blocks": [section("x")] * 101}),
        ({"blocks": [text_field("b", max_length=3_000)]}, {"blocks": [text_field("b", max_length=3_001)]}),
    ],
)
def test_modals_have_limits(fits: dict[str, Any], too_much: dict[str, Any]) -> None:
    check_view(modal() | fits)
    with pytest.raises(SlackError, match="invalid_arguments") as caught:
        check_view(modal() | too_much)
    assert "/view" in caught.value.messages[0]


def test_a_modal_needs_a_title_and_a_submit_button_for_its_inputs() -> None:
    for missing in ("title", "submit"):
        view = modal()
        del view[missing]
        with pytest.raises(SlackError, match="invalid_arguments") as caught:
            check_view(view)
        assert missing in caught.value.messages[0]


def test_a_home_tab_has_no_title_and_may_be_empty() -> None:
    check_view({"type": "home", "blocks": []})
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view({"type": "home", "blocks": [], "title": plain("x")})


@pytest.mark.parametrize("view", [None, [], {}, {"type": "dialog"}, {"type": "modal"}])
def test_what_is_no_view_is_refused(view: Any) -> None:
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view(view)


def test_a_number_field_needs_to_say_whether_decimals_are_allowed() -> None:
    field = text_field("b") | {"element": {"type": "number_input", "action_id": "n"}}
    with pytest.raises(SlackError) as caught:
        check_view(modal(field))
    assert "is_decimal_allowed" in caught.value.messages[0]


ELEMENT_KINDS = st.sampled_from(
    ["button", "overflow", "static_select", "radio_buttons", "checkboxes", "image", "plain_text_input", "number_input"]
)
ELEMENT_KEYS = st.sampled_from(
    [
        *("text", "value", "options", "option_groups", "initial_option", "initial_options", "confirm", "placeholder"),
        *("max_length", "min_value", "slack_file", "image_url", "alt_text", "is_decimal_allowed", "style", "action_id"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(ELEMENT_KEYS, JSON), ELEMENT_KINDS, st.sampled_from(["actions", "accessory", "input"]))
def test_nonsense_in_elements_is_refused_and_never_breaks_the_check(
    element: dict[str, Any], kind: str, place: str
) -> None:
    element["type"] = kind
    label = plain("x")
    block = {
        "actions": {"type": "actions", "elements": [element]},
        "accessory": {"type": "section", "text": label, "accessory": element},
        "input": {"type": "input", "label": label, "element": element},
    }[place]
    assert verdict([block]) in (None, "invalid_blocks")


@given(JSON, JSON)
def test_nonsense_in_views_is_refused_and_never_breaks_the_check(view: Any, blocks: Any) -> None:
    for candidate in (view, {"type": "home", "blocks": blocks}, modal() | {"blocks": blocks, "title": view}):
        try:
            check_view(candidate)
        except SlackError as error:
            assert error.code == "invalid_arguments"  # noqa: PT017  # acceptance is fine too, anything else is not


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters"),
        ({"type": "rich_text", "elements": [{"type": "rich_text_table"}]}, "failed to match all allowed schemas"),
        ({"type": "rich_text", "elements": [{"type": "rich_text_section"}]}, "missing required field: elements"),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}, "no more than 20 items allowed"),
        ({"type": "table", "rows": [["x"]]}, "failed to match all allowed schemas"),
        ({"type": "image", "alt_text": "x", "image_url": "u", "slack_file": {"id": "F1"}}, "only one image source"),
        (actions({"type": "static_select", "action_id": "m", "option_groups": ["x"]})[0], "must provide an object"),
        (actions(button("a", confirm={"title": plain("t")}))[0], "missing required field: text"),
        ({"type": "section", "text": plain("x"), "accessory": {"type": "image"}}, "missing required field: image_url"),
    ],
)
def test_further_malformed_blocks_are_refused_by_name(block: Any, problem: str) -> None:
    assert any(problem in message for message in refused(block))


def test_every_supported_block_and_element_is_accepted() -> None:
    group = {"label": plain("g"), "options": [option()]}
    text = {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}
    accepted(
        {"type": "markdown", "text": "**x**"},
        {"type": "rich_text", "elements": [text]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]},
        {"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}, "title": plain("t")},
        {"type": "context", "elements": [{"type": "image", "image_url": "https://x", "alt_text": "x"}, plain("x")]},
        *actions({"type": "static_select", "action_id": "m", "option_groups": [group], "initial_option": option()}),
        {"type": "section", "text": plain("x"), "accessory": {"type": "datepicker", "action_id": "d"}},
        {"type": "input", "label": plain("L"), "hint": plain("h"), "element": {"type": "users_select"}},
    )


def test_markdown_and_tables_belong_in_messages() -> None:
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view(modal({"type": "markdown", "text": "x"}))
