"""`make bench` (= `python -m benchmarks`): runs every benchmark, prints one table and writes build/bench.json.

Exits with 1 where a limit is missed. Names may be given to run only some: `python -m benchmarks sweep`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import ack, fast_path, result, sweep

Run = Callable[[], Awaitable[Sequence[result.Result | result.Note]]]

BENCHMARKS: Mapping[str, Run] = {"sweep": sweep.run, "fast_path": fast_path.run, "ack": ack.run}
"""Each in an event loop of its own."""

OUTPUT = Path("build/bench.json")


def main(names: Sequence[str], benchmarks: Mapping[str, Run] = BENCHMARKS, output: Path = OUTPUT) -> int:
    """0 where every limit is kept, 1 where one is missed, 2 for a name that is not there."""
    if unknown := [name for name in names if name not in benchmarks]:
        print(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks)}", file=sys.stderr)
        return 2
    told: list[result.Result | result.Note] = []
    for name in names or benchmarks:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        told += asyncio.run(_run(benchmarks[name]))
    results = [one for one in told if isinstance(one, result.Result)]
    print(table(results))
    for note in told:
        if isinstance(note, result.Note):
            print(f"note: {note.text}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document(results), indent=2, ensure_ascii=False) + "\n")
    missed = [one.name for one in results if not one.ok]
    if missed:
        print(f"limit missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


async def _run(run: Run) -> Sequence[result.Result | result.Note]:
    return await run()


def table(results: Sequence[result.Result]) -> str:
    """Names to the left, figures to the right, the verdict last."""
    head = ("", "value", "limit", "unit", "")
    rows = [(one.name, f"{one.value:,.2f}", _limit(one), one.unit, _verdict(one)) for one in results]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for name, value, limit, unit, verdict in (head, *rows):
        numbers = f"{value:>{widths[1]}}  {limit:>{widths[2]}}"
        lines.append(f"{name:<{widths[0]}}  {numbers}  {unit:<{widths[3]}}  {verdict}".rstrip())
    return "\n".join(lines)


def _limit(one: result.Result) -> str:
    if one.limit is None:
        return "–"
    return f"{'≥' if one.at_least else '≤'} {one.limit:,.2f}"


def _verdict(one: result.Result) -> str:
    if one.limit is None:
        return ""
    return "ok" if one.ok else "MISSED"


def document(results: Sequence[result.Result]) -> dict[str, dict[str, object]]:
    """name → value, unit, limit (null where a figure only informs), whether it is the least that is good, ok."""
    return {
        one.name: {
            "value": one.value,
            "unit": one.unit,
            "limit": one.limit,
            "at_least": one.at_least,
            "ok": one.ok,
        }
        for one in results
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
