"""Lines out of a stream of bytes, in bounded memory: a watch is one JSON object a line, and `watching` asks. Pure."""


class Lines:
    """Puts the pieces of one stream together to lines, and drops each line of more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._size = 0
        self.dropped = 0
        """How many lines were too long."""

    def split(self, piece: bytes) -> list[bytes]:
        """The lines that end in this piece, without their line feeds. What follows the last of these is kept."""
        *tails, rest = piece.split(b"\n")
        whole = []
        for tail in tails:
            self._hold(tail)
            if self._size <= self._limit:
                whole.append(bytes(self._held))
            self._held.clear()
            self._size = 0
        self._hold(rest)
        return whole

    def _hold(self, part: bytes) -> None:
        fitted = self._size <= self._limit
        self._size += len(part)
        if self._size <= self._limit:
            self._held += part
        elif fitted:
            self.dropped += 1
            self._held.clear()
