"""Grounds: what a story is told on. The same stories run on the simulated cluster and on a real one.

Both are reached over the Kubernetes REST API as an administrator (`admin`); what differs hides behind `ground.Ground`
(`simulated`, `real`). `behaviours` says what a container does and `manifests` what it runs in, for both alike. The
fixtures `ground` and `tell` in tests/stories/conftest.py hand them to the stories:

    async def test_…(ground: grounds.Ground, tell: worlds.Tell) -> None:
        await ground.established(manifests.deployment("api", ground.container(behaviours.serving())))
        …break it by ground.admin…
        world = await tell(GRACES="NotReady=5s")
        parent = await telling.proposed(world, f"{ground.namespace}/api")

A story that needs what not every ground has says so (`ground.Feature`): `@pytest.mark.needs("behaviours")` where a
container must do what it is there for, as all of the above. On a ground without it the story is skipped. One that
disturbs others on the same cluster (it stops the API server) is marked `@pytest.mark.alone`.
"""

from tests.grounds.ground import Feature, Ground, Lacking, Write

__all__ = ["Feature", "Ground", "Lacking", "Write"]
