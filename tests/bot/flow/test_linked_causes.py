"""One cause in two clusters: both cards tell of the other, and each thread stays its own."""

from datetime import timedelta

from bot.domain import cards
from bot.slack.blocks import incident as blocks
from tests.bot.domain import examples
from tests.bot.flow.test_triage import Recorded, Sweeps


async def card(sweeps: Sweeps, incident_id: int) -> cards.IncidentCard:
    return await sweeps.replica.card(incident_id)


async def test_both_cards_tell_of_the_other_and_the_first_is_drawn_anew(record: Recorded) -> None:
    here = await Sweeps.of(record)
    there = await Sweeps.of(record, name="west", cluster="west")
    (first,) = (await here.see(here.crash())).opened
    assert (await card(here, first)).also == ()
    assert await here.replica.wanted() == {"parent": 1}
    (second,) = (await there.see(there.crash())).opened
    assert await here.replica.wanted() == {"parent": 2}
    assert [one.id for one in (await card(here, first)).also] == [second]
    assert [one.id for one in (await card(there, second)).also] == [first]
    assert f"Also in cluster west: WK-{second}" in str(blocks.parent(await card(here, first)))


async def test_what_began_later_or_is_another_cause_is_not_told(record: Recorded) -> None:
    here = await Sweeps.of(record)
    there = await Sweeps.of(record, name="west", cluster="west")
    (first,) = (await here.see(here.crash())).opened
    other = examples.problem(examples.finding("OOMKilled", "app", since=here.clock()))
    (second,) = (await there.see(other, after=timedelta(minutes=15))).opened
    east = await Sweeps.of(record, name="east", cluster="east")
    (third,) = (await east.see(east.crash())).opened
    assert (await card(here, first)).also == (await card(there, second)).also == (await card(east, third)).also == ()


def test_a_card_names_a_few_and_counts_the_others() -> None:
    one = examples.incident()
    others = tuple(examples.incident(id=number, cluster=f"c{number}") for number in range(20, 25))
    told = str(blocks.parent(cards.IncidentCard(one, "approve", (), also=others)))
    assert "Also in cluster c20: WK-20; in cluster c21: WK-21; in cluster c22: WK-22; and 2 more" in told
    assert "Also" not in str(blocks.parent(cards.IncidentCard(one, "approve", ())))


def test_a_hostile_cluster_name_is_escaped() -> None:
    other = examples.incident(id=20, cluster="<!channel> *x*")
    told = str(blocks.parent(cards.IncidentCard(examples.incident(), "approve", (), also=(other,))))
    assert "<!channel>" not in told
