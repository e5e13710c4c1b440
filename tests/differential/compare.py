"""Compares pinfold's answers with those of the `packaging` library: `compare.py ANSWERS [SEED [NUMBER]]`.

Every difference must be one of the classes of `differences.py`, which docs/differential.md explains; any other is shown, and the
exit code is 1.
"""

import collections
import json
import subprocess
import sys
import time

import packaging

from answers import answer
from differences import DIFFERENCES
from questions import Questions

SHOWN = 20


def main():
    program, seed, number = [*sys.argv[1:], *["1", "100000"][len(sys.argv) - 2:]]
    seed, number = int(seed), int(number)
    began = time.monotonic()
    questions = list(Questions(seed).all(number))
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    process = subprocess.run([program], input=asked.encode(), stdout=subprocess.PIPE, check=True)
    ours = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(ours) == len(questions), "an answer is missing"
    agreed, known, unknown = collections.Counter(), {}, collections.defaultdict(list)
    for question, our in zip(questions, ours):
        their = answer(question)
        if our == their or refused(our) and refused(their):
            agreed[question["ask"], refused(our)] += 1
            continue
        name = next((name for name, belongs in DIFFERENCES if belongs(question, our, their)), None)
        if name:
            known.setdefault(name, []).append((question, our, their))
        else:
            unknown[question["ask"]].append((question, our, their))
    report(agreed, known, unknown)
    bad = sum(map(len, unknown.values()))
    print(f"packaging {packaging.__version__}, seed {seed}: {len(questions)} questions, {bad} unexplained differences,"
          f" {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


def refused(answer):
    return isinstance(answer, dict) and "error" in answer


def report(agreed, known, unknown):
    for kind in sorted({kind for kind, _ in agreed}):
        print(f"{kind}: {agreed[kind, False]} answers alike, {agreed[kind, True]} refused by both")
    for name, found in sorted(known.items()):
        question, our, their = min(found, key=lambda entry: len(shown(entry[0])))
        print(f"known difference {name}: {len(found)}, for instance {shown(question)}")
    for kind, found in unknown.items():
        for question, our, their in sorted(found, key=lambda entry: len(shown(entry[0])))[:SHOWN]:
            print(f"DIFFERENCE {shown(question)}\n  pinfold:   {shown(our)}\n  packaging: {shown(their)}")
        print(f"{len(found)} unexplained differences about {kind}")


def shown(value):
    if isinstance(value, dict):
        value = {key: value for key, value in value.items() if key != "environments"}
    return json.dumps(value)[:400]


if __name__ == "__main__":
    sys.exit(main())
