"""The web page in a real browser: what people see, press, type and cannot be tricked with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ANA, BEN, BOT_USER, ONCALL, PAYMENTS, SlackStandIn
from tests.demo.slack.conftest import Connect, actions, app_of, button, modal, section, text_field

pytestmark = pytest.mark.browser

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        await chromium.close()


async def open_page(browser: Browser, slack: SlackStandIn, user: str = ANA, path: str = "", width: int = 1280) -> Page:
    """The page of one person; a script error or a refused resource fails the test that calls `quiet`."""
    context = await browser.new_context(viewport={"width": width, "height": 812 if width < 500 else 800})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.complaints = complaints  # type: ignore[attr-defined]
    await page.goto(f"{slack.url}?as={user}#/{path}")
    await page.wait_for_selector("[data-testid=act-as]")
    return page


def quiet(page: Page) -> bool:
    return page.complaints == []  # type: ignore[attr-defined, no-any-return]


async def incident(client: AsyncWebClient, *elements: dict[str, Any]) -> str:
    blocks = [section("🔴 *payments/api* is crash-looping"), *actions(*elements)]
    attachment = {"color": "#a30200", "fallback": "payments/api is crash-looping", "blocks": blocks}
    return str((await client.chat_postMessage(channel=ONCALL, text="", attachments=[attachment]))["ts"])


async def test_an_incident_is_pressed_edited_in_place_and_read_by_both_people(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, browser: Browser
) -> None:
    app = app_of(slack)
    release = asyncio.Event()

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any]) -> None:
        await release.wait()
        await ack()
        done = [{"color": "#2eb886", "fallback": "done", "blocks": [section("approved by <@U0ANA0001>")]}]
        await client.chat_update(channel=ONCALL, ts=body["container"]["message_ts"], attachments=done)
        await client.chat_postEphemeral(channel=ONCALL, user=body["user"]["id"], text="thank you")

    await connect(app)
    ana, ben = await open_page(browser, slack, ANA, ONCALL), await open_page(browser, slack, BEN, ONCALL)
    ts = await incident(client, button("approve", "Approve", style="primary"))
    row = ana.locator(f'#channel [data-message-ts="{ts}"]')
    await expect(row.locator(".attachment")).to_have_attribute("data-color", "#a30200")
    press = row.locator('[data-action-id="approve"]')
    await press.click()
    await expect(press).to_have_attribute("aria-busy", "true")
    release.set()
    for page in (ana, ben):
        changed = page.locator(f'#channel [data-message-ts="{ts}"]')
        await expect(changed).to_contain_text("approved by @Ana Ruiz")
        await expect(changed.locator(".attachment")).to_have_attribute("data-color", "#2eb886")
        await expect(changed.locator("button.button")).to_have_count(0)
    await expect(ana.get_by_test_id("ephemeral")).to_contain_text("Only visible to you")
    await expect(ana.get_by_test_id("ephemeral")).to_contain_text("thank you")
    await expect(ben.get_by_test_id("ephemeral")).to_have_count(0)
    assert quiet(ana)


async def test_a_press_without_an_answer_leaves_a_warning(
    slack: SlackStandIn, client: AsyncWebClient, browser: Browser
) -> None:
    page = await open_page(browser, slack, ANA, ONCALL)
    ts = await incident(client, button("approve", "Approve"))
    await page.click('#channel [data-action-id="approve"]')
    await expect(page.locator(f'#channel [data-message-ts="{ts}"] [role=alert]')).to_have_text(
        "This app did not respond."
    )


async def test_a_dangerous_button_asks_first(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, browser: Browser
) -> None:
    app = app_of(slack)
    pressed = []

    @app.action("drain")
    async def drain(ack: Any) -> None:
        await ack()
        pressed.append(1)

    await connect(app)
    words = {
        k: {"type": "plain_text", "text": t} for k, t in (("title", "Drain?"), ("confirm", "Drain"), ("deny", "Keep"))
    }
    confirm = words | {"text": {"type": "mrkdwn", "text": "Evicts *12* pods."}, "style": "danger"}
    await incident(client, button("drain", "Drain", style="danger", confirm=confirm))
    page = await open_page(browser, slack, ANA, ONCALL)
    await page.click('#channel [data-action-id="drain"]')
    await expect(page.get_by_test_id("confirm")).to_contain_text("Evicts 12 pods.")
    await page.keyboard.press("Escape")
    assert pressed == []
    await page.click('#channel [data-action-id="drain"]')
    await page.get_by_test_id("confirm-ok").click()
    await slack.wait_for(lambda: slack.deliveries)
    await expect(page.get_by_test_id("confirm")).to_have_count(0)
    await expect(page.locator('#channel [data-action-id="drain"]')).to_be_enabled()
    assert pressed == [1]


async def test_a_modal_is_filled_in_corrected_and_sent(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, browser: Browser
) -> None:
    app = app_of(slack)
    sent: list[dict[str, Any]] = []
    option = {"text": {"type": "plain_text", "text": "Four hours"}, "value": "240"}
    menu = {"type": "static_select", "action_id": "menu", "options": [option]}
    count = {"type": "number_input", "action_id": "count", "is_decimal_allowed": False, "min_value": "1"}
    fields = [
        text_field("reason", multiline=True),
        text_field("length") | {"element": menu, "label": {"type": "plain_text", "text": "How long"}},
        text_field("replicas") | {"element": count, "label": {"type": "plain_text", "text": "Replicas"}},
    ]

    @app.action("reject")
    async def reject(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        loading = modal(section("Loading…"))
        opened = await client.views_open(trigger_id=body["trigger_id"], view=loading)
        await client.views_update(view_id=opened["view"]["id"], view=modal(*fields))

    @app.view("reason")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        sent.append(view["state"]["values"])
        if len(sent) == 1:
            await ack(response_action="errors", errors={"reason": "Say a little more."})
        else:
            await ack()

    await connect(app)
    await incident(client, button("reject", "Reject"))
    page = await open_page(browser, slack, ANA, ONCALL)
    await page.click('#channel [data-action-id="reject"]')
    box = page.get_by_test_id("modal")
    await box.get_by_label("Why").fill("no")
    await box.get_by_label("How long").select_option("240")
    await page.get_by_test_id("modal-submit").click()
    await expect(box.locator('[data-block-id="replicas"] [role=alert]')).to_have_text(
        "Please complete this required field."
    )
    assert sent == []
    await box.get_by_label("Replicas").fill("3")
    await page.get_by_test_id("modal-submit").click()
    await expect(box.locator('[data-block-id="reason"] [role=alert]')).to_have_text("Say a little more.")
    await box.get_by_label("Why").fill("it heals itself")
    await page.get_by_test_id("modal-submit").click()
    await expect(box).to_have_count(0)
    assert sent[1]["reason"]["text"]["value"] == "it heals itself"
    assert sent[1]["length"]["menu"]["selected_option"]["value"] == "240"
    assert sent[1]["replicas"]["count"]["value"] == "3"
    assert quiet(page)


async def test_text_from_a_cluster_stays_text(slack: SlackStandIn, client: AsyncWebClient, browser: Browser) -> None:
    hostile = '<img src=x onerror="document.title=1"> &lt;script&gt;alert(1)&lt;/script&gt; <javascript:alert(1)|click>'
    await client.chat_postMessage(channel=ONCALL, text=hostile, blocks=[section(hostile)])
    await client.chat_postMessage(
        channel=ONCALL,
        text="*bold* _it_ ~no~ `a &amp; b` <https://example.com|link> :eyes: <!date^0^{date_num}|x> <!here>",
    )
    await client.chat_postMessage(
        channel=ONCALL, text="```\nkey: <https://example.com>\n```\n&gt; quoted\nafter 2*3*4 a_b_c"
    )
    page = await open_page(browser, slack, ANA, ONCALL)
    rows = page.locator("#channel .message")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text("<script>alert(1)</script>")
    assert await page.locator("#channel .message .text img, #channel script, #channel a[href^=javascript]").count() == 0
    marked = rows.nth(1)
    await expect(marked.locator("strong").first).to_have_text("bold")
    await expect(marked.locator("em")).to_have_text("it")
    await expect(marked.locator("s")).to_have_text("no")
    await expect(marked.locator("code")).to_have_text("a & b")
    await expect(marked.locator("a")).to_have_attribute("href", "https://example.com")
    await expect(marked.locator(".text .emoji")).to_have_count(1)
    await expect(rows.nth(2).locator("pre")).to_have_text("key: https://example.com")
    await expect(rows.nth(2).locator("blockquote")).to_have_text("quoted")
    await expect(rows.nth(2)).to_contain_text("after 2*3*4 a_b_c")
    assert quiet(page)


async def test_commands_messages_and_threads_are_typed(slack: SlackStandIn, connect: Connect, browser: Browser) -> None:
    app = app_of(slack)

    @app.command("/watch")
    async def watch(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"you said {command['text']}")

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any) -> None:
        await say(text="because", thread_ts=event.get("thread_ts", event["ts"]))

    await connect(app)
    page = await open_page(browser, slack, ANA, ONCALL)
    box = page.locator("#channel [data-testid=composer-input]")
    await box.fill("/watch st")
    await expect(page.locator("#channel [role=option]").first).to_contain_text("/watch status")
    await box.press("Tab")
    await box.press_sequentially("prod-eu")
    await box.press("Enter")
    await expect(page.get_by_test_id("ephemeral")).to_contain_text("you said status prod-eu")
    await box.fill("@Watchkeeper why <not> & so?")
    await box.press("Enter")
    said = await slack.wait_message(ONCALL, "why")
    assert said["text"] == f"<@{BOT_USER}> why &lt;not&gt; &amp; so?"
    row = page.locator(f'#channel [data-message-ts="{said["ts"]}"]')
    await row.get_by_test_id("open-thread").click()
    pane = page.get_by_test_id("thread-pane")
    await expect(pane).to_contain_text("because")
    await expect(pane).to_contain_text("why <not> & so?")
    await pane.get_by_test_id("composer-input").fill("/watch status")
    await pane.get_by_test_id("composer-input").press("Enter")
    await expect(pane).to_contain_text("/watch is not supported in threads. Sorry!")
    await pane.get_by_test_id("composer-input").fill("thanks")
    await pane.get_by_test_id("composer-input").press("Enter")
    await expect(row).to_contain_text("2 replies")
    await page.keyboard.press("Escape")
    await expect(pane).to_be_hidden()


async def test_one_acts_as_another_person_and_unread_channels_stand_out(
    slack: SlackStandIn, client: AsyncWebClient, browser: Browser
) -> None:
    page = await open_page(browser, slack, ANA, ONCALL)
    await client.chat_postMessage(channel=PAYMENTS, text="new here")
    link = page.locator(f'#sidebar [data-channel-id="{PAYMENTS}"]')
    await expect(link).to_have_attribute("aria-label", "payments, 1 unread")
    await link.click()
    await expect(page.locator("#channel .new-line")).to_have_count(1)
    await expect(link).to_have_attribute("aria-label", "payments")
    await page.get_by_test_id("act-as").click()
    await page.locator(f'[role=menuitemradio][data-user-id="{BEN}"]').click()
    await expect(page.get_by_test_id("act-as")).to_contain_text("Ben Okafor")
    await page.locator("#channel [data-testid=composer-input]").fill("I am Ben")
    await page.keyboard.press("Enter")
    await slack.wait_for(lambda: slack.messages(PAYMENTS)[-1]["user"] == BEN)


async def test_files_unfold_and_home_has_working_buttons(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, browser: Browser
) -> None:
    app = app_of(slack)

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any]) -> None:
        blocks = [section("Nothing waits for you"), *actions(button("refresh", "Refresh"))]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @app.action("refresh")
    async def refresh(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_publish(user_id=body["user"]["id"], view={"type": "home", "blocks": [section("Refreshed")]})

    await connect(app)
    content = "\n".join(f"line {n}" for n in range(60))
    await client.files_upload_v2(content=content, filename="api.log", channel=ONCALL)
    page = await open_page(browser, slack, ANA, ONCALL)
    await expect(page.locator(".snippet")).not_to_contain_text("line 59")
    await page.get_by_test_id("expand-file").click()
    await expect(page.locator(".snippet")).to_contain_text("line 59")
    await page.get_by_test_id("app-link").click()
    await expect(page.get_by_test_id("home")).to_contain_text("Nothing waits for you")
    await page.click('[data-testid=home] [data-action-id="refresh"]')
    await expect(page.get_by_test_id("home")).to_contain_text("Refreshed")
    assert quiet(page)


async def test_on_a_phone_one_pane_is_shown_at_a_time(
    slack: SlackStandIn, client: AsyncWebClient, browser: Browser
) -> None:
    ts = await incident(client, *(button(f"b{n}", f"Button {n}") for n in range(6)))
    await client.chat_postMessage(channel=ONCALL, thread_ts=ts, text="evidence")
    page = await open_page(browser, slack, ANA, width=375)
    panes = {name: page.locator(f"#{name}") for name in ("sidebar", "channel", "thread")}

    async def only(name: str) -> None:
        for other, pane in panes.items():
            await (expect(pane).to_be_visible() if other == name else expect(pane).to_be_hidden())
        assert await page.evaluate("document.documentElement.scrollWidth") <= 375

    await only("sidebar")
    await page.click(f'#sidebar [data-channel-id="{ONCALL}"]')
    await only("channel")
    await page.get_by_test_id("open-thread").click()
    await only("thread")
    await page.locator("#thread .back").click()
    await only("channel")
    await page.locator("#channel .back").click()
    await only("sidebar")


async def test_the_page_comes_back_after_the_connection_was_lost(slack: SlackStandIn, browser: Browser) -> None:
    page = await open_page(browser, slack, ANA, ONCALL)
    await slack.page.stop()
    await slack.say(BEN, ONCALL, "while you were away")
    await expect(page.locator("#channel .message")).to_contain_text("while you were away")
    await expect(page.locator("#offline")).to_be_hidden()


async def test_a_permalink_opens_the_thread_and_marks_the_message(
    slack: SlackStandIn, client: AsyncWebClient, browser: Browser
) -> None:
    ts = await incident(client, button("approve"))
    reply = (await client.chat_postMessage(channel=ONCALL, thread_ts=ts, text="evidence"))["ts"]
    link = (await client.chat_getPermalink(channel=ONCALL, message_ts=reply))["permalink"]
    page = await open_page(browser, slack, ANA)
    await page.goto(link)
    await expect(page.get_by_test_id("thread-pane")).to_contain_text("evidence")
    await expect(page.locator("#thread .marked")).to_contain_text("evidence")
