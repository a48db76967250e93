"""The grounds' own tests ask for the fixture of the stories, so they hold on the same clusters."""

from tests.stories.conftest import ground

__all__ = ["ground"]
