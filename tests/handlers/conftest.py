"""Fixtures of the doors' tests."""

from collections.abc import AsyncIterator

import pytest

from tests.handlers import holding


@pytest.fixture
async def room(postgres_url: str) -> AsyncIterator[holding.Room]:
    async with holding.room(postgres_url) as made:
        yield made
