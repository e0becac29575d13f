"""Pi by throwing darts, a job whose answer is known: it checks the cluster, not mathematics.

    ionet cluster submit <id> examples/pi_montecarlo.py
    ionet cluster submit <id> examples/pi_montecarlo.py -- --darts 200000000

Ends with code 1 if the estimate is further from pi than chance explains (five standard errors).
"""

import argparse
import collections
import math
import os
import socket
import sys

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@ray.remote
def throw(darts: int, seed: int) -> tuple[int, str]:
    """How many of `darts` fall into the quarter circle, and where they were thrown."""
    import numpy

    generator = numpy.random.default_rng(seed)
    hits, left = 0, darts
    while left > 0:
        some = min(left, 1_000_000)
        x, y = generator.random(some), generator.random(some)
        hits += int(numpy.count_nonzero(x * x + y * y <= 1.0))
        left -= some
    return hits, os.environ.get("IONET_DEVICE", socket.gethostname())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--darts", type=int, default=40_000_000)
    parser.add_argument("--tasks", type=int, default=24)
    given = parser.parse_args()

    ray.init()
    nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    each = given.darts // given.tasks
    # One node after the other: tasks this short would all land where a process is warm already.
    places = [NodeAffinitySchedulingStrategy(node_id=node, soft=True) for node in nodes]
    answers = ray.get([
        throw.options(scheduling_strategy=places[seed % len(places)]).remote(each, seed)
        for seed in range(given.tasks)
    ])
    darts = each * given.tasks
    hits = sum(hits for hits, _ in answers)

    share = hits / darts
    estimate = 4 * share
    error = 4 * math.sqrt(share * (1 - share) / darts)
    off = abs(estimate - math.pi)
    print(f"pi is about {estimate:.6f}, standard error {error:.6f}, off by {off:.6f}")
    print(f"{darts} darts in {given.tasks} tasks; tasks by device:")
    for device, count in sorted(collections.Counter(device for _, device in answers).items()):
        print(f"  {device}  {count}")
    return 0 if off <= 5 * error else 1


if __name__ == "__main__":
    sys.exit(main())
