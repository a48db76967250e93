"""Actions of other packages are read with the settings: installed, or named with what is wrong with their package."""

import importlib.metadata
import re
import sys
from pathlib import Path

import msgspec
import pytest

from bot import errors, plugins, settings
from k8s import catalogue, custom_actions, model
from tests.k8s import raw

PAGE = (Path(__file__).parents[2] / "docs/custom-actions.md").read_text()
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def installed(folder: Path, module: str, source: str, *, attribute: str, dist: str = "acme_actions") -> None:
    """A distribution with this entry point, as pip leaves it in a folder of sys.path."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{dist}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{plugins.ACTIONS}]\npatience = {module}:{attribute}\n")


def entries(folder: Path) -> list[importlib.metadata.EntryPoint]:
    return [
        entry
        for dist in importlib.metadata.distributions(path=[str(folder)])
        for entry in dist.entry_points.select(group=plugins.ACTIONS)
    ]


def test_the_example_of_the_page_is_installed_with_the_settings_and_can_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = EXAMPLE.replace("custom-rollout-patience", "custom-of-the-page")
    installed(tmp_path, "acme_page_actions", source, attribute="rollout_patience")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.load({})
    assert custom_actions.installed()["custom-of-the-page"].source == "acme-actions: patience"
    tree = {"action": "custom", "workload": msgspec.to_builtins(raw.API), "name": "custom-of-the-page"}
    action = catalogue.decode({**tree, "parameters": [["seconds", "900"]]})
    assert isinstance(action, model.Custom)
    plan = catalogue.plan(action, raw.broken_rollout(), raw.NOW)
    assert isinstance(plan.inverse, model.Custom)
    assert plan.inverse.parameters == (("seconds", "600"),)
    with pytest.raises(catalogue.InvalidAction):
        catalogue.decode({**tree, "parameters": [["seconds", "1"]]})


@pytest.mark.parametrize(
    ("module", "source", "told"),
    [
        ("acme_low", EXAMPLE.replace('"medium"', '"low"'), "is no action: its risk is neither medium nor high"),
        ("acme_raises", "raise RuntimeError('no licence')", "cannot be loaded (RuntimeError: no licence)"),
        ("acme_nothing", "rollout_patience = None", "is no action: its name is no text"),
    ],
)
def test_a_broken_one_stops_the_start_and_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, told: str
) -> None:
    installed(tmp_path, module, source, attribute="rollout_patience")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(errors.ConfigurationError) as raised:
        settings.load({})
    (fault,) = [each for each in raised.value.faults if module in each]
    assert f"action patience of package acme-actions ({module}:rollout_patience) {told}" in fault
    assert "uninstall acme-actions" in fault


def test_two_of_one_name_are_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        installed(tmp_path, f"acme_twice{number}", EXAMPLE, attribute="rollout_patience", dist=f"acme_twice{number}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found, faults = plugins.actions(entries(tmp_path))
    assert len(found) == 1
    assert len(faults) == 1
    assert "has the name custom-rollout-patience, which is taken" in faults[0]


def test_the_page_tells_every_field_that_a_patch_may_hold() -> None:
    spec = custom_actions.ALLOWED["spec"]
    for field in (*(set(spec) - {"template"}), *spec["template"]["spec"]):
        assert f"`{field}`" in PAGE
