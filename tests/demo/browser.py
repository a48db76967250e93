"""A real browser before the demo's web page: for tests, which see what people see and press what they press."""

import contextlib
from collections.abc import AsyncIterator

from playwright.async_api import Browser, Locator, Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
DESKTOP = (1280, 900)
PHONE = (375, 812)


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """Debian's chromium, headless."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield chromium
        finally:
            await chromium.close()


async def page_of(browser: Browser, url: str, user: str, path: str, size: tuple[int, int] = DESKTOP) -> Page:
    """The page as one person has it open: `path` is a channel's id, or `app/home`. `url` ends with a slash."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = await context.new_page()
    await page.goto(f"{url}?as={user}#/{path}")
    await page.wait_for_selector("[data-testid=act-as]", state="attached")
    return page


def incident(page: Page, subject: str) -> Locator:
    """The parent message of this subject's incident, in the channel."""
    return page.locator("#channel .message:has(.attachment)", has=page.locator("strong", has_text=subject))


async def narrow(page: Page, width: int) -> bool:
    """Whether nothing on the page is wider than the screen: nobody scrolls sideways on a phone."""
    return int(await page.evaluate("document.documentElement.scrollWidth")) <= width
