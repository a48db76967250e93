"""`python -m tests.cluster up|down|status|kubeconfig|test|level|build|kubectl`: a real Kubernetes for the tests.

Exit codes: 0 done · 1 it should have worked and did not · 2 asked for something that there is not · 3 this machine
cannot.
"""

import argparse
import os
import sys

from tests.cluster import building, levels, places, testing
from tests.cluster.cluster import Cluster
from tests.cluster.saying import Failed, Unsupported, say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--state", default="", help="folder of the running cluster (default: below ~/.local/state)")
    parser.add_argument("--cache", default="", help="folder of what is built (default: below ~/.cache)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start it; prints the kubeconfig's path")
    up.add_argument("--level", choices=levels.LEVELS[:2], help="this level or none (default: the best that works)")
    commands.add_parser("down", help="end it and remove what it left")
    commands.add_parser("status", help="what runs")
    commands.add_parser("kubeconfig", help="the path of the administrator's kubeconfig")
    commands.add_parser("level", help="the best level that this machine supports, and why not better")
    commands.add_parser("build", help="only build it")
    test = commands.add_parser("test", help="run the stories on it: all that follows is pytest's")
    test.add_argument("--kubeconfig", default="", help="another cluster, such as one of kind or k3d")
    test.add_argument("--workers", type=int, default=4, help="stories side by side (default: 4; they mostly wait)")
    commands.add_parser("kubectl", help="kubectl on it, as administrator: all that follows is kubectl's")
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command not in ("kubectl", "test"):
        parser.error(f"what is {' '.join(rest)}?")
    where = places.default(arguments.state, arguments.cache)
    try:
        return _do(arguments, rest, where)
    except Unsupported as error:
        say(f"this machine cannot: {error}")
        return 3
    except Failed as error:
        say(f"failed: {error}")
        return 1


def _do(arguments: argparse.Namespace, rest: list[str], where: places.Places) -> int:
    cluster = Cluster(where)
    if arguments.command == "up":
        cluster.up(arguments.level)
        print(where.kubeconfig)
    elif arguments.command == "down":
        cluster.down()
    elif arguments.command == "status":
        print(cluster.status())
        return 0 if cluster.level() and cluster.healthy() else 1
    elif arguments.command == "level":
        best, why = levels.supported()
        print(best)
        for level, reason in why.items():
            say(f"not {level}: {reason}")
    elif arguments.command == "test":
        return testing.run(where, arguments.kubeconfig, arguments.workers, rest)
    elif arguments.command == "build":
        print(building.programs(where))
    elif cluster.level() is None:
        say("there is no cluster: python -m tests.cluster up")
        return 2
    elif arguments.command == "kubeconfig":
        print(where.kubeconfig)
    else:
        program = building.programs(where) / "kubectl"
        os.execv(program, [str(program), f"--kubeconfig={where.kubeconfig}", *rest])
    return 0


if __name__ == "__main__":
    sys.exit(main())
