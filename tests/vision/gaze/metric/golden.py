"""Numbers of multimatch-gaze on scanpaths full of ties, for golden_test.cpp.

    pip install multimatch-gaze==0.1.3 scipy==1.17.1 && python3 golden.py > golden.json

Fixations on coarse grids give many shortest paths of equal length: which of them is taken decides the
numbers. "error" is what the peer raises; its values are null then.
"""
import importlib.metadata
import json
import random
import warnings

import numpy as np
import scipy.sparse.csgraph  # noqa: F401  multimatch_gaze uses it without importing it
from multimatch_gaze.multimatch_gaze import docomparison

SCREEN = [1280, 720]
GROUPINGS = [None, [45, 0.3, 147], [30, 0.1, 100], [90, 0.6, 300]]  # degrees, seconds, pixels


def scanpath(rng, kind):
    points = {
        "grid": lambda: (rng.randrange(8) * 160 + 80, rng.randrange(6) * 120 + 60),
        "small grid": lambda: (rng.randrange(4) * 100, rng.randrange(2) * 100),
        "line": lambda: (rng.randrange(3) * 50, 0),
        "pixels": lambda: (rng.randrange(1280), rng.randrange(720)),
    }[kind]
    path = []
    for _ in range(rng.randint(3, 14)):
        place = path[-1][:2] if path and rng.random() < 0.1 else points()
        path.append([*place, rng.choice([0.1, 0.2, 0.25, 0.3, 0.5])])
    return path


def peer(a, b, grouping):
    kind = np.dtype([("start_x", "f8"), ("start_y", "f8"), ("duration", "f8")])
    options = dict(zip(("TDir", "TDur", "TAmp"), grouping), grouping=True) if grouping else {}
    columns = [np.array([tuple(f) for f in path], kind) for path in (a, b)]
    try:
        values = docomparison(*columns, SCREEN, **options)
    except (IndexError, ValueError) as error:
        return {"values": None, "error": type(error).__name__}
    return {"values": [float(np.squeeze(v)) for v in values], "error": ""}


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(7)
    pairs = []
    for i in range(96):
        kind = ["grid", "small grid", "line", "pixels"][i % 4]
        a, b = scanpath(rng, kind), scanpath(rng, kind)
        grouping = GROUPINGS[i // 4 % 4]
        pairs.append({"kind": kind, "a": a, "b": b, "grouping": grouping, **peer(a, b, grouping)})
    versions = {name: importlib.metadata.version(name) for name in ("multimatch-gaze", "numpy", "scipy")}
    text = ",\n".join(json.dumps(pair) for pair in pairs)
    print(f'{{"versions": {json.dumps(versions)},\n"screen": {SCREEN},\n"pairs": [\n{text}\n]}}')


if __name__ == "__main__":
    main()
