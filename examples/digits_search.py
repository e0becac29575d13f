"""A hyper-parameter search over scikit-learn's own digits data, one Ray task a trial.

    ionet cluster submit <id> examples/digits_search.py

Prints the best model, what it scores on data that no trial saw, and which device ran which
trials. Needs Ray, numpy and scikit-learn: all in the default image.
"""

import collections
import itertools
import os
import socket
import time

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

GRID = {
    "C": [0.1, 1.0, 10.0, 100.0],
    "gamma": [0.0001, 0.001, 0.01],
}
SEED = 7


def device() -> str:
    """The device that this node runs on: ionet names it in every container."""
    return os.environ.get("IONET_DEVICE", socket.gethostname())


@ray.remote
def trial(c: float, gamma: float) -> dict:
    """Cross-validates one model on the training part of the data."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_score, train_test_split
    from sklearn.svm import SVC

    started = time.monotonic()
    data, target = load_digits(return_X_y=True)
    train, _, labels, _ = train_test_split(data, target, test_size=0.25, random_state=SEED)
    scores = cross_val_score(SVC(C=c, gamma=gamma), train, labels, cv=4)
    return {
        "C": c,
        "gamma": gamma,
        "score": float(scores.mean()),
        "seconds": time.monotonic() - started,
        "device": device(),
        "node": ray.get_runtime_context().get_node_id(),
    }


def pinned(node_id: str):
    """`trial` on one node. Spreading is a wish: a node with a warm process tends to win."""
    strategy = NodeAffinitySchedulingStrategy(node_id=node_id, soft=True)
    return trial.options(scheduling_strategy=strategy)


def main() -> None:
    ray.init()
    nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    grid = list(itertools.product(GRID["C"], GRID["gamma"]))
    print(f"{len(grid)} trials over {len(nodes)} nodes")
    # Round robin, so that every node gets its share; `soft` lets a trial move if one is lost.
    pending = [
        pinned(node).remote(c, gamma) for (c, gamma), node in zip(grid, itertools.cycle(nodes))
    ]
    results = []
    while pending:
        done, pending = ray.wait(pending)
        result = ray.get(done[0])
        results.append(result)
        print(
            f"  C={result['C']:<6} gamma={result['gamma']:<7} accuracy {result['score']:.4f}"
            f"  {result['seconds']:.1f} s on {result['device']}",
            flush=True,
        )

    best = max(results, key=lambda r: r["score"])
    print(f"best model: SVC(C={best['C']}, gamma={best['gamma']}), accuracy {best['score']:.4f}")
    print(f"on data that no trial saw: accuracy {held_out(best):.4f}")
    print("trials by device:")
    for name, count in sorted(collections.Counter(r["device"] for r in results).items()):
        print(f"  {name}  {count}")


def held_out(best: dict) -> float:
    """Accuracy of the best model on the quarter that was set aside."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.svm import SVC

    data, target = load_digits(return_X_y=True)
    train, test, labels, truth = train_test_split(data, target, test_size=0.25, random_state=SEED)
    model = SVC(C=best["C"], gamma=best["gamma"]).fit(train, labels)
    return float(model.score(test, truth))


if __name__ == "__main__":
    main()
