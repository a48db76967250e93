"""The pages for people: each link leads somewhere, each decision has a number of its own, nothing is told twice."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MENTIONED = re.compile(r"\b(?:docs|deploy)/[\w./-]*\w\.(?:md|yaml|json)")
_FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """Of the headings, as GitHub makes them: small letters, dashes for spaces, no other signs."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCED.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead(page: Path, text: str) -> list[str]:
    """The links and the files named in it that lead nowhere within the repository."""
    found = [name for name in _MENTIONED.findall(text) if not (ROOT / name).exists()]
    for link in _LINK.findall(_FENCED.sub("", text)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(text if target == page else target.read_text())):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert dead(page, page.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    [
        "[a](docs/none.md)",
        "[a](docs/policy.md#no-heading)",
        "[a](#nowhere)",
        "as docs/none.md says",
        "(deploy/no.yaml)",
    ],
)
def test_a_planted_dead_link_is_found(planted: str) -> None:
    assert len(dead(ROOT / "README.md", planted)) >= 1


def test_links_that_lead_somewhere_are_let_through() -> None:
    good = (
        "# A heading: this\n[a](#a-heading-this) [b](docs/policy.md#rules) [c](https://x.example/#y) deploy/rbac.yaml"
    )
    assert dead(ROOT / "README.md", good) == []


def test_every_decision_has_a_number_of_its_own_and_says_it() -> None:
    assert len(DECISIONS) > 30
    assert [number for number, times in Counter(path.name[:4] for path in DECISIONS).items() if times > 1] == []
    for path in DECISIONS:
        assert path.read_text().startswith(f"# {int(path.name[:4])}. "), path.name


def test_the_changelog_tells_nothing_twice() -> None:
    entries = re.findall(r"^- (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert len(entries) > 30
    assert [entry for entry, times in Counter(entry[:40] for entry in entries).items() if times > 1] == []
