"""Lines come out of pieces whole, whatever the pieces, and none of them is longer than it may be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from k8s.client import lines


def cut(text: bytes, sizes: list[int]) -> list[bytes]:
    """The text in pieces: of these sizes, the rest in one."""
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b""))), st.lists(st.integers(0, 9)))
def test_any_pieces_give_the_same_lines_and_those_that_are_too_long_are_counted(
    wanted: list[bytes], sizes: list[int]
) -> None:
    split = lines.Lines(8)
    text = b"".join(line + b"\n" for line in wanted)
    found = [line for piece in cut(text, sizes) for line in split.split(piece)]
    assert found == [line for line in wanted if len(line) <= 8]
    assert split.dropped == sum(len(line) > 8 for line in wanted)


def test_what_has_no_end_yet_is_no_line() -> None:
    split = lines.Lines(100)
    assert split.split(b'{"half":') == []
    assert split.split(b"1}\nnext") == [b'{"half":1}']


def test_an_endless_line_is_counted_once_and_not_kept() -> None:
    split = lines.Lines(1000)
    for _ in range(50):
        assert split.split(b"x" * 900) == []
    assert (split.dropped, len(split._held)) == (1, 0)
    assert split.split(b"\nshort\n") == [b"short"]
