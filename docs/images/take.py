# ruff: noqa: INP001 - a script beside the pictures that it takes, not a package
"""Takes the README's pictures from a running demo: `.venv/bin/python docs/images/take.py`.

Needs the development environment (`make setup`) and /usr/bin/chromium. Takes about half a minute, and writes
`incident-thread.png` (a crash loop with its proposal and its evidence) and `verified.png` (the same after Approve).
"""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from demo.slack import ANA, ONCALL

FOLDER = Path(__file__).parent
SIZE = (1360, 900)
READY_SECONDS = 60
HEALED_MS = 90_000
SUBJECT = "payments/api"
RESOLVED = "#2eb886"


@contextlib.asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """The address of a demo of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        line = b"" if process.stdout is None else await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        found = re.search(rb"http://\S+", line)
        if found is None:
            raise SystemExit("the demo did not start")
        yield found.group().decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()


async def take(url: str) -> None:
    """Both pictures, in the order in which the incident lives."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        await page.goto(f"{url}?as={ANA}#/{ONCALL}")
        parent = page.locator("#channel .message:has(.attachment)", has=page.locator("strong", has_text=SUBJECT))
        approve = parent.locator('[data-action-id="wk:approve"]')
        await expect(approve).to_be_visible(timeout=READY_SECONDS * 1000)
        await parent.get_by_test_id("open-thread").click()
        await expect(page.locator("#thread")).to_contain_text("rollout history")
        await _shoot(page, "incident-thread.png", "#thread .reply-line")
        await approve.click()
        await expect(parent.locator(".attachment")).to_have_attribute("data-color", RESOLVED, timeout=HEALED_MS)
        await expect(page.locator("#thread")).to_contain_text("has recovered")
        await _shoot(page, "verified.png", "#thread .message:last-child")
        await browser.close()


async def _shoot(page: Page, name: str, in_thread: str) -> None:
    """With the incident at the top of the channel, and this part of its thread in sight in the thread pane."""
    await page.mouse.move(0, 0)
    await page.evaluate(
        """([subject, part]) => {
            document.activeElement?.blur();
            const rows = [...document.querySelectorAll("#channel .message:has(.attachment)")];
            rows.find((row) => row.querySelector("strong")?.textContent === subject).scrollIntoView();
            document.querySelector(part).scrollIntoView();
        }""",
        [SUBJECT, in_thread],
    )
    await page.wait_for_timeout(500)
    await page.screenshot(path=FOLDER / name)


async def main() -> None:
    async with demo() as url:
        await take(url)


if __name__ == "__main__":
    asyncio.run(main())
