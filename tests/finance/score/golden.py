"""Golden numbers of finance/score by other libraries: python3 golden.py > golden.json

Made with Python 3.11, lightgbm 4.7.0, scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6 (a run says on stderr what it found).

Rules they use, kept visible in the numbers:
- scikit-learn ndcg_score: gain = label; tied scores share the mean of their places; refuses a list of one row; 0 for a
  list without gain. Here: null for both.
- LightGBM NDCG: gain = 2^label - 1; ties by row; 1 for a list without gain.
"""
import json
import sys

import lightgbm
import numpy
import scipy.stats
import sklearn
from sklearn import metrics

AT = [1, 3, 5, 10]
THRESHOLD = 0.4


def make_list(random, size, kind):
    score = random.normal(size=size).round(1 if kind == "ties" else 6)
    if kind == "equal":
        score[:] = 0.25
    grade = random.integers(0, 5, size) * (random.random(size) < 0.4)
    if kind == "no gain":
        grade[:] = 0
    if kind == "one positive":
        grade[:] = 0
        grade[random.integers(size)] = 1
    profit = random.standard_t(3, size).round(4) * 100
    return {"kind": kind, "score": score.tolist(), "grade": grade.tolist(), "profit": profit.round(2).tolist()}


def scikit_ndcg(one):
    if len(one["score"]) < 2 or max(one["grade"]) == 0:
        return None
    return [metrics.ndcg_score([one["grade"]], [one["score"]], k=k) for k in AT]


def lightgbm_ndcg(lists):
    """The scores stand as init_score, and the metric is read before any tree is grown."""
    score = numpy.concatenate([one["score"] for one in lists])
    rows = len(score)
    data = lightgbm.Dataset(
        numpy.arange(rows, dtype=float).reshape(-1, 1),
        label=numpy.concatenate([one["grade"] for one in lists]),
        group=[len(one["score"]) for one in lists],
        init_score=score,
        params={"min_data_in_bin": 1, "feature_pre_filter": False, "verbosity": -1},
    )
    booster = lightgbm.Booster(
        {"objective": "lambdarank", "metric": "ndcg", "eval_at": AT, "verbosity": -1, "num_threads": 1}, data
    )
    found = {name: value for _, name, value, _ in booster.eval_train()}
    return [found[f"ndcg@{k}"] for k in AT]


def main():
    random = numpy.random.default_rng(20240607)
    kinds = ["plain"] * 8 + ["ties"] * 6 + ["one positive"] * 6 + ["no gain"] * 3 + ["equal"] * 2
    sizes = [int(random.integers(2, 30)) for _ in kinds]
    lists = [make_list(random, size, kind) for size, kind in zip(sizes, kinds)]
    lists += [make_list(random, 1, "plain"), make_list(random, 1, "no gain"), make_list(random, 6, "ties")]
    for one in lists:
        one["scikit_ndcg"] = scikit_ndcg(one)
        one["lightgbm_ndcg"] = lightgbm_ndcg([one])
        one["scikit_lrap"] = None  # 1 / rank where there is one positive
        if one["kind"] == "one positive":
            relevant = [[int(g > 0) for g in one["grade"]]]
            one["scikit_lrap"] = metrics.label_ranking_average_precision_score(relevant, [one["score"]])

    # All scores equal: rows stand in their order, and nothing else makes the metric.
    equal = next(one for one in lists if one["kind"] == "equal" and max(one["grade"]) > 0)
    gain = 2.0 ** numpy.array(equal["grade"]) - 1
    discount = 1 / numpy.log2(numpy.arange(len(gain)) + 2)
    by_hand = (gain * discount)[:5].sum() / (numpy.sort(gain)[::-1] * discount)[:5].sum()
    assert abs(by_hand - equal["lightgbm_ndcg"][AT.index(5)]) < 1e-12

    score = numpy.concatenate([one["score"] for one in lists])
    positive = numpy.concatenate([one["grade"] for one in lists]) > 0
    flagged = score >= THRESHOLD
    wilson = [(0, 20), (1, 29), (15, 148), (81, 263), (7, 7)]
    golden = {
        "at": AT,
        "threshold": THRESHOLD,
        "lists": lists,
        "all": {
            "lightgbm_ndcg": lightgbm_ndcg(lists),
            "auc": metrics.roc_auc_score(positive, score),
            "macro_f1": metrics.f1_score(positive, flagged, average="macro"),
            "precision": metrics.precision_score(positive, flagged),
            "recall": metrics.recall_score(positive, flagged),
        },
        "wilson": [
            [k, n, *scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")] for k, n in wilson
        ],
    }
    for library in (lightgbm, sklearn, scipy, numpy):
        print(library.__name__, library.__version__, file=sys.stderr)
    body = ",\n".join(
        f"{json.dumps(key)}: " + ("[\n" + ",\n".join(map(json.dumps, value)) + "]" if key == "lists" else json.dumps(value))
        for key, value in golden.items()
    )
    print("{" + body + "}")


if __name__ == "__main__":
    main()
