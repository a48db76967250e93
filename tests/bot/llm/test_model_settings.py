"""The settings of the model: the key under both of its names, prices as a table, and what is told of a wrong one."""

import pytest

from bot import settings
from bot.llm import pricing

KEY = "k" * 20


@pytest.mark.parametrize("name", ["WATCHKEEPER_ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"])
def test_the_key_is_read_under_both_names_and_is_a_secret(name: str) -> None:
    loaded = settings.load({name: KEY})
    assert loaded.anthropic_api_key is not None
    assert KEY in loaded.secrets
    assert KEY not in repr(loaded)


def test_without_a_key_there_is_none_and_the_small_model_can_be_off() -> None:
    assert settings.load({}).anthropic_api_key is None
    assert settings.load({"WATCHKEEPER_MODEL_SMALL": "off"}).model_small == ""


def test_the_three_models_have_their_prices_and_an_unknown_one_is_the_dearest() -> None:
    loaded = settings.load({})
    prices = pricing.Prices(loaded.model_prices)
    assert prices.of(loaded.model).output == 10
    assert prices.of(loaded.model_small).output == 0.5
    assert prices.of("somebody-elses").output == max(amounts[1] for amounts in loaded.model_prices.values())


def test_a_table_of_prices_is_read() -> None:
    told = settings.load({"WATCHKEEPER_MODEL_PRICES": "one=1/2/3/4, two=0.5/2.5/0.6/0.05"}).model_prices
    assert dict(told) == {"one": (1, 2, 3, 4), "two": (0.5, 2.5, 0.6, 0.05)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_PRICES", "one=1/2/3"),
        ("MODEL_PRICES", "one"),
        ("MODEL_PRICES", "one=1/2/3/-4"),
        ("MODEL_PRICES", "one=1/2/3/4,one=1/2/3/4"),
        ("MODEL", "not a name"),
        ("BUDGET_DAY", "-1"),
        ("MODEL_MAX_TURNS", "0"),
        ("MODEL_DEADLINE", "1s"),
        ("LANGUAGE", "tlh"),
        ("ANTHROPIC_API_KEY", "has a blank"),
        ("ANTHROPIC_BASE_URL", "ftp://x"),
    ],
)
def test_what_is_wrong_is_told_with_its_variable(name: str, value: str) -> None:
    told = settings.faults({f"WATCHKEEPER_{name}": value}, purpose="look")
    assert len(told) == 1
    assert told[0].startswith(f"WATCHKEEPER_{name} is malformed: ")
