"""Which namespaces a look takes: globs, what is left out, and the labels that the namespaces have at that moment."""

from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model

NAMES = st.text(alphabet="abc-", min_size=1, max_size=4)
GLOBS = st.lists(NAMES | st.sampled_from(["*", "a*", "[ab]*"]), max_size=3).map(tuple)


def test_labels_that_nobody_has_asked_about_select_nothing() -> None:
    assert not model.Scope(labels="team=payments").includes("payments")
    assert model.Scope(labels="team=payments").places is None


def test_labels_select_beside_the_globs() -> None:
    scope = model.Scope(("pay*",), ("pay-test",), "team=payments", frozenset({"payments", "pay-test", "web"}))
    assert [name for name in ("payments", "pay-test", "web", "pay-two") if scope.includes(name)] == ["payments"]
    assert scope.places == ("payments",)


def test_a_few_namespaces_are_listed_one_by_one_and_many_at_once() -> None:
    few = model.Scope(labels="a", selected=frozenset(map(str, range(model.FEW))))
    assert few.places == tuple(sorted(map(str, range(model.FEW))))
    assert model.Scope(labels="a", selected=frozenset(map(str, range(model.FEW + 1)))).places is None
    assert model.Scope(labels="a", selected=frozenset()).places == ()


def test_what_was_selected_is_no_part_of_what_a_watch_is() -> None:
    scope = model.Scope(labels="a", selected=frozenset({"x"}))
    assert scope == model.Scope(labels="a")
    assert hash(scope) == hash(model.Scope(labels="a"))


@settings(deadline=None, max_examples=100)
@given(GLOBS, GLOBS, st.none() | st.frozensets(NAMES, max_size=8), NAMES)
def test_the_places_are_never_more_and_never_less_than_what_is_included(
    include: tuple[str, ...], exclude: tuple[str, ...], selected: frozenset[str] | None, name: str
) -> None:
    scope = model.Scope(include, exclude, "" if selected is None else "team=a", selected)
    places = scope.places
    if places is not None:
        assert all(scope.includes(place) for place in places)
        assert (name in places) == scope.includes(name)
