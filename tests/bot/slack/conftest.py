"""Fixtures of the Slack tests: golden files, rewritten with `pytest tests/bot/slack --update-golden`."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.store import engine
from tests.bot.slack import desks

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what is rendered now as what is right")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Compares a rendered value with `golden/<name>.json`."""

    def check(name: str, value: Any) -> None:
        path = GOLDEN / f"{name}.json"
        rendered = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rendered, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing: run with --update-golden, then read what it holds"
        assert rendered == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
async def desk(store: engine.Database) -> AsyncIterator[desks.Desk]:
    async with desks.desk(store) as made:
        yield made
