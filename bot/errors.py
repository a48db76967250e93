"""The product's own errors, which the doors turn into a sentence for a person.

WatchkeeperError
├── ConfigurationError   a setting is missing or malformed: says which, and how to set it
├── StoreUnavailable     the database is away: nothing is executed, nothing is lost
├── SchemaTooNew         the database was migrated by a newer version
├── ClusterUnavailable   a cluster cannot be looked at: nothing is concluded from it
└── NotPossible          the state of things does not allow what was asked: says why
"""


class WatchkeeperError(Exception):
    """Base of all; the text is a sentence for people."""


class ConfigurationError(WatchkeeperError):
    """`faults` are all that is wrong, one line each, so that they are mended in one go."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class StoreUnavailable(WatchkeeperError):
    pass


class SchemaTooNew(WatchkeeperError):
    pass


class ClusterUnavailable(WatchkeeperError):
    pass


class NotPossible(WatchkeeperError):
    pass
