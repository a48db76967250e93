"""`python -m tests.likeness record [case …] --kubeconfig PATH`: writes tests/likeness/recorded/ anew."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from tests.likeness import cases, recording

_logger = logging.getLogger(__name__)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.likeness", description=__doc__)
    parser.add_argument("what", choices=["record"])
    parser.add_argument("case", nargs="*", help=f"all where none is named: {', '.join(cases.BY_NAME)}")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of an administrator of a real cluster")
    asked = parser.parse_args()
    if unknown := set(asked.case) - set(cases.BY_NAME):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    failures = asyncio.run(recording.record(asked.case, asked.kubeconfig))
    for failure in failures:
        _logger.error(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
