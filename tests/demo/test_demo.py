"""`make demo` as its users have it: a real child process, and a real browser before it.

The tests that look share one demo, and each incident belongs to one test: payments/api is approved on a desktop,
web/storefront is refused, rejected, and approved on a phone, and for shop/recommender another action is picked by hand.
"""

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from demo.slack import ANA, BEN, CHLOE, ONCALL
from demo.slack.forms import REQUIRED
from tests.demo import browser as browsers

READY = 60.0
HEALED_MS = 60_000
SEEN_MS = 30_000
FIRING, RESOLVED = "#a30200", "#2eb886"
BROKEN = (
    *("payments/api", "web/storefront", "search/indexer"),
    *("shop/recommender", "batch/report-builder", "batch/ledger-export"),
)


class Demo:
    """`python -m demo --port 0`, ready; `url` is what it printed."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "demo", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)  # noqa: S603
        try:
            self.line = self._line()
            found = re.search(r"http://127\.0\.0\.1:\d+/", self.line)
            assert found, f"no address in {self.line!r}"
            self.url = found.group()
        except BaseException:
            self.end()
            raise

    def _line(self) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(READY), f"the demo told no address within {READY:g} s"
        return self.process.stdout.readline()

    def interrupt(self) -> tuple[int, str]:
        """As ctrl-C does: its exit code, and all that it said after its first line."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest

    def end(self) -> None:
        """In any case."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.interrupt()
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One demo for all tests of this module that only look, or that press on an incident of their own."""
    running = Demo()
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with browsers.started() as chromium:
        yield chromium


def bar(message: Locator) -> Locator:
    """Its colour bar, which is its state."""
    return message.locator(".attachment").first


def press(message: Locator, action: str) -> Locator:
    return message.locator(f'[data-action-id="{action}"]')


async def opened_thread(page: Page, subject: str) -> Locator:
    """The thread pane of an incident, opened as people do."""
    await browsers.incident(page, subject).get_by_test_id("open-thread").click(timeout=SEEN_MS)
    pane = page.get_by_test_id("thread-pane")
    await expect(pane).to_contain_text(subject)
    return pane


# --- what is shown, and what presses do -------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.story
async def test_who_may_not_approve_is_told_who_may_and_a_rejection_shows_its_reason_until_a_phone_approves_after_all(
    demo: Demo, browser: Browser
) -> None:
    chloe = await browsers.page_of(browser, demo.url, CHLOE, ONCALL)
    await press(browsers.incident(chloe, "web/storefront"), "wk:approve").click(timeout=SEEN_MS)
    note = chloe.locator("#channel").get_by_test_id("ephemeral")
    await expect(note).to_contain_text("Only visible to you", timeout=SEEN_MS)
    await expect(note).to_contain_text("@Ana Ruiz")
    await expect(note).to_contain_text("@Ben Okafor")
    await expect(bar(browsers.incident(chloe, "web/storefront"))).to_have_attribute("data-color", FIRING)

    ana = await browsers.page_of(browser, demo.url, ANA, ONCALL)
    message = browsers.incident(ana, "web/storefront")
    await press(message, "wk:reject").click(timeout=SEEN_MS)
    modal = ana.get_by_test_id("modal")
    await expect(modal).to_contain_text("rollout undo deployment/storefront")
    await modal.locator("textarea").fill("The tag is being pushed <now> & here")
    await ana.get_by_test_id("modal-submit").click()
    await expect(modal).to_have_count(0)
    for page in (ana, chloe):
        shown = browsers.incident(page, "web/storefront")
        await expect(shown).to_contain_text("Rejected by @Ana Ruiz", timeout=SEEN_MS)
        await expect(shown).to_contain_text("The tag is being pushed <now> & here")
        await expect(press(shown, "wk:approve")).to_have_count(0)

    phone = await browsers.page_of(browser, demo.url, BEN, ONCALL, browsers.PHONE)
    message = browsers.incident(phone, "web/storefront")
    await press(message, "wk:propose").click(timeout=SEEN_MS)
    await press(message, "wk:approve").click(timeout=SEEN_MS)
    await expect(bar(message)).to_have_attribute("data-color", RESOLVED, timeout=HEALED_MS)
    assert await browsers.narrow(phone, browsers.PHONE[0])


@pytest.mark.browser
@pytest.mark.story
async def test_every_broken_workload_has_a_thread_that_a_phone_can_read(demo: Demo, browser: Browser) -> None:
    phone = await browsers.page_of(browser, demo.url, BEN, ONCALL, browsers.PHONE)
    for subject in BROKEN:
        message = browsers.incident(phone, subject)
        await expect(message).to_have_count(1, timeout=SEEN_MS)
        await expect(message).to_contain_text("Cause:", timeout=SEEN_MS)
        await expect(message).to_contain_text("[E")
    pane = await opened_thread(phone, "search/indexer")
    await expect(pane).to_be_visible()
    await expect(phone.locator("#channel")).to_be_hidden()
    await expect(pane).to_contain_text("OOMKilled")
    assert await browsers.narrow(phone, browsers.PHONE[0])
    await pane.locator(".back").click()
    await expect(phone.locator("#channel")).to_be_visible()


@pytest.mark.browser
@pytest.mark.story
async def test_an_approver_presses_approve_sees_the_progress_and_the_incident_turn_green(
    demo: Demo, browser: Browser
) -> None:
    page = await browsers.page_of(browser, demo.url, ANA, ONCALL)
    parent = browsers.incident(page, "payments/api")
    pane = await opened_thread(page, "payments/api")
    await expect(bar(parent)).to_have_attribute("data-color", FIRING)
    await expect(pane).to_contain_text("KeyError: 'DB_URL'")
    await expect(pane).to_contain_text("env DB_URL removed")
    await expect(parent).to_contain_text("kubectl -n payments rollout undo deployment/api --to-revision=1")
    await press(pane, "wk:approve").click(timeout=SEEN_MS)
    await expect(pane).to_contain_text("Approved by @Ana Ruiz", timeout=SEEN_MS)
    await expect(pane).to_contain_text("rolled out", timeout=SEEN_MS)
    await expect(press(parent, "wk:approve")).to_have_count(0)
    await expect(bar(parent)).to_have_attribute("data-color", RESOLVED, timeout=HEALED_MS)
    await expect(parent).to_contain_text("Verified")
    await expect(parent).to_contain_text("Resolved")
    await expect(press(parent, "wk:undo")).to_be_visible()
    await expect(pane).to_contain_text("payments/api has recovered", timeout=SEEN_MS)


@pytest.mark.browser
@pytest.mark.story
async def test_who_may_not_approve_picks_another_action_on_a_phone_and_it_waits_on_the_card(
    demo: Demo, browser: Browser
) -> None:
    phone = await browsers.page_of(browser, demo.url, CHLOE, ONCALL, browsers.PHONE)
    message = browsers.incident(phone, "shop/recommender")
    await press(message, "wk:other").click(timeout=SEEN_MS)
    modal = phone.get_by_test_id("modal")
    menu = press(modal, "wk:ask-action")
    await expect(menu).to_be_visible(timeout=SEEN_MS)
    await expect(menu.locator('optgroup[label="Low risk"] option[value="scale"]')).to_have_count(1)
    assert await browsers.narrow(phone, browsers.PHONE[0])

    await phone.get_by_test_id("modal-submit").click()
    await expect(modal.get_by_role("alert")).to_have_text(REQUIRED, timeout=SEEN_MS)
    await menu.select_option("scale")
    replicas = press(modal, "wk:ask-value")
    await expect(modal).to_contain_text("Never for: Stopping a service", timeout=SEEN_MS)
    await replicas.fill("5000")
    await phone.get_by_test_id("modal-submit").click()
    await expect(modal.get_by_role("alert")).to_contain_text("5000", timeout=SEEN_MS)
    assert await browsers.narrow(phone, browsers.PHONE[0])

    await replicas.fill("3")
    await phone.get_by_test_id("modal-submit").click()
    await expect(modal).to_have_count(0, timeout=SEEN_MS)
    await expect(message).to_contain_text("kubectl -n shop scale deployment/recommender --replicas=3", timeout=SEEN_MS)
    await expect(message).to_contain_text("Asked for by @Chloe Lind")
    await expect(press(message, "wk:approve")).to_be_visible()


@pytest.mark.browser
@pytest.mark.story
async def test_watch_status_answers_its_asker_and_app_home_is_a_dashboard(demo: Demo, browser: Browser) -> None:
    page = await browsers.page_of(browser, demo.url, ANA, ONCALL)
    await expect(browsers.incident(page, "search/indexer")).to_contain_text("Cause:", timeout=SEEN_MS)
    composer = page.locator("#channel [data-testid=composer-input]")
    await composer.fill("/watch status ")
    await composer.press("Enter")
    answer = page.get_by_test_id("ephemeral").last
    for told in ("Only visible to you", "Open incidents", "search/indexer", "all namespaces", "last sweep"):
        await expect(answer).to_contain_text(told, timeout=SEEN_MS)
    await page.get_by_test_id("app-link").click()
    home = page.get_by_test_id("home")
    for told in ("open incident", "search/indexer", "batch/report-builder", "Watches", "Watchkeeper itself is well"):
        await expect(home).to_contain_text(told, timeout=SEEN_MS)


# --- starting and ending ----------------------------------------------------------------------------------------------


@pytest.mark.story
def test_ctrl_c_ends_everything_and_leaves_nothing() -> None:
    demo = Demo()
    try:
        assert demo.line.count("\n") == 1
        folder = folder_of(demo)
        belonging = processes_of(demo, folder)
        names = " ".join(" ".join(one.cmdline()) for one in belonging)
        assert "bot serve" in names
        assert "postgres" in names
        code, rest = demo.interrupt()
        assert (code, rest) == (0, "")
        _, alive = psutil.wait_procs(belonging, timeout=2)
        assert alive == []
        assert not folder.exists()
    finally:
        demo.end()


def folder_of(demo: Demo) -> Path:
    """Where it keeps its data: from the settings that it gave to its bot."""
    settings = [child.environ().get("WATCHKEEPER_DATA_DIR") for child in psutil.Process(demo.process.pid).children()]
    folder = next(Path(data).parent for data in settings if data)
    assert folder.is_dir()
    return folder


def processes_of(demo: Demo, folder: Path) -> list[psutil.Process]:
    """It, its children, and what runs on its folder: a database detaches itself from who started it."""
    own = psutil.Process(demo.process.pid)
    found = {one.pid: one for one in (own, *own.children(recursive=True))}
    for one in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in one.info["cmdline"] or ()):
            found |= {child.pid: child for child in (one, *one.children(recursive=True))}
    return list(found.values())


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


@pytest.mark.story
def test_a_kubeconfig_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    ended = refused("--port", "0", "--kubeconfig", str(missing))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [f"watchkeeper demo: --kubeconfig: {missing} cannot be read ({os.strerror(2)})"]


@pytest.mark.story
def test_a_port_in_use_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = refused("--port", str(port))
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert f"port {port} cannot be used (Address already in use)" in line
    assert "--port 0" in line
