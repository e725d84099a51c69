#!/usr/bin/env python3
"""LightGBM on ranked lists, beside which attn-rank's rankings and their money stand.

    rank_trees.py lightgbm --train T.csv --valid V.csv --test X.csv --list qid --label risky --profit pnl --ignore stake
    rank_trees.py folds --data rank.train --lengths rank.train.query [--folds FILE] [--draws N]
    rank_trees.py money --data FILE.csv --label Class --amount Amount [--rows FILE] [--write-rows FILE]
        [--write-parts FOLDER]
    rank_trees.py money --data FILE.csv --label target --costs C_FP,C_FN,C_TP,C_TN --ignore id

One JSON object on standard output; --out FILE.csv: scores of the test rows, columns list, row (of the data, from 1) and
OBJECTIVE/SEED.
Learning rate 0.05, 31 leaves of 50 rows at least, until the validation part's measure is 40 rounds without gain
(binary and regressions: their loss; ranking: NDCG@5), one thread. Seed 0 is LightGBM as it is, without chance; seeds 1
... --seeds draw 80 % of the rows each round and 80 % of the columns each tree (all of LightGBM's seeds are derived from
it); `mean` and `sd` are over those.

Objectives: binary and lambdarank on the label; grades and grades-linear: lambdarank on 16 grades of profit, of equal
count in the training part, with the gain 2^grade - 1 that is LightGBM's own, or the grade; l2 on profit; log-profit: l2
on sign(p) log(1 + |p| / MONEY).
Measures: means over lists of profit@k (sum of the first k, ties in the order of the rows), ndcg@k of the label (linear
gain, lists without a positive left out), pndcg@5 of the gain log(1 + max(p, 0)); auc and macro_f1 over all rows, cut at
the true share of positives.

money: what flagging a row is worth is AMOUNT where the label is positive and 0 else, or C_FN - C_TP and C_TN - C_FP.
--rows has a line a row under the header "part,list": train, valid or test, and the list (made of --list-size rows by a
permutation, 60/20/20 % of the lists, where it is not given; --write-rows leaves it). --write-parts leaves the three
parts as CSV with columns list, label, profit and those of the features. Besides objectives there is `expected`, the
binary model's P times what a positive row is worth and 1 - P times what another is. Test money of the flagged rows:
money_tuned, by the threshold that keeps most in the validation part; money_f1, by that of highest macro-F1 there;
money_positive: scores above 0 (l2, log-profit, expected).
"""
import argparse
import csv
import json
import pathlib
import sys
import time
from dataclasses import dataclass

import lightgbm
import numpy as np
import pyarrow
import pyarrow.csv
from sklearn.datasets import load_svmlight_file
from sklearn.metrics import f1_score, roc_auc_score

TREES = {"learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 50, "num_threads": 1, "verbosity": -1}
ROUNDS, PATIENCE, GRADES = 5000, 40, 16
AT = (1, 3, 5, 10)


@dataclass
class Table:
    """Lists of rows one after the other: list l is rows offsets[l] ... offsets[l + 1] - 1."""
    features: np.ndarray  # (R,F)
    names: list
    label: np.ndarray
    profit: np.ndarray
    lists: np.ndarray  # (R), ids
    worth: np.ndarray = None  # (R,2): of flagging the row if its label is 0, and if it is positive

    def __post_init__(self):
        new = np.flatnonzero(self.lists[1:] != self.lists[:-1]) + 1
        self.offsets = np.concatenate([[0], new, [len(self.lists)]])
        if len(self.offsets) - 1 != len(np.unique(self.lists)):
            sys.exit("error: the rows of a list stand in two places")

    @property
    def lengths(self):
        return np.diff(self.offsets)

    def parts(self):
        return [slice(a, b) for a, b in zip(self.offsets[:-1], self.offsets[1:])]


def columns_of(path):
    table = pyarrow.csv.read_csv(path)
    return {name: table[name].to_numpy().astype(float) for name in table.column_names}


def take(columns, path, name):
    if name not in columns:
        sys.exit(f"error: {path}: there is no column '{name}'; it has {', '.join(columns)}")
    return columns.pop(name)


def read_lists(path, a):
    columns = columns_of(path)
    lists, label, profit = (take(columns, path, name) for name in (a.list, a.label, a.profit))
    for name in filter(None, a.ignore.split(",")):
        take(columns, path, name)
    return Table(np.column_stack(list(columns.values())), list(columns), label, profit, lists)


# Measures

def first(scores, k):
    return np.argsort(-scores, kind="stable")[:k]


def ndcg(scores, gain, k):
    best = np.sort(gain)[::-1][:k]
    discount = 1 / np.log2(np.arange(2, 2 + len(best)))
    ideal = best @ discount
    return gain[first(scores, k)] @ discount / ideal if ideal > 0 else np.nan


def macro_f1(scores, positive, count=None):
    flagged = np.zeros(len(scores), bool)
    flagged[first(scores, int(positive.sum()) if count is None else count)] = True
    return f1_score(positive, flagged, average="macro")


def measures(scores, table):
    parts, positive, found = table.parts(), table.label > 0, {}
    mean = lambda values: float(np.nanmean(values))
    for k in AT:
        found[f"profit@{k}"] = mean([table.profit[p][first(scores[p], k)].sum() for p in parts])
        found[f"ndcg@{k}"] = mean([ndcg(scores[p], table.label[p], k) for p in parts])
    gain = np.log1p(np.maximum(table.profit, 0))
    found["pndcg@5"] = mean([ndcg(scores[p], gain[p], 5) for p in parts])
    found["auc"], found["macro_f1"] = float(roc_auc_score(positive, scores)), float(macro_f1(scores, positive))
    return found


# Training

def target_of(objective, table, train, money):
    if objective in ("binary", "lambdarank"):
        return (table.label > 0).astype(int) if objective == "binary" else table.label.astype(int)
    if objective.startswith("grades"):
        edges = np.quantile(train.profit, np.arange(1, GRADES) / GRADES)
        return np.searchsorted(edges, table.profit, side="right")
    return table.profit if objective == "l2" else np.sign(table.profit) * np.log1p(np.abs(table.profit) / money)


OBJECTIVES = {
    "binary": {"objective": "binary"},
    "lambdarank": {"objective": "lambdarank", "eval_at": [5]},
    "grades": {"objective": "lambdarank", "eval_at": [5]},
    "grades-linear": {"objective": "lambdarank", "eval_at": [5], "label_gain": list(range(GRADES))},
    "l2": {"objective": "regression"},
    "log-profit": {"objective": "regression"},
}


def trained(objective, seed, train, valid, money):
    """The model, and seconds of the processor."""
    options = {**TREES, **OBJECTIVES[objective]}
    if seed > 0:
        options |= {"seed": seed, "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.8}
    groups = lambda table: table.lengths if options["objective"] == "lambdarank" else None
    start = time.process_time()
    data = lightgbm.Dataset(train.features, target_of(objective, train, train, money), group=groups(train))
    judge = lightgbm.Dataset(
        valid.features, target_of(objective, valid, train, money), group=groups(valid), reference=data)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    model = lightgbm.train(options, data, ROUNDS, valid_sets=[judge], callbacks=[stop])
    return model, time.process_time() - start


def summary(runs):
    """Mean and sd over the seeds with chance, by objective."""
    found = {}
    for objective in dict.fromkeys(run["objective"] for run in runs):
        rows = [run for run in runs if run["objective"] == objective and run["seed"] > 0]
        keys = [key for key in (rows[0] if rows else {}) if key not in ("objective", "seed")]
        found[objective] = {
            key: {"mean": float(np.mean([r[key] for r in rows])), "sd": float(np.std([r[key] for r in rows], ddof=1))}
            for key in keys if len(rows) > 1}
    return found


def tell(a, result, lists, rows, scores):
    print(json.dumps({"lightgbm": lightgbm.__version__, "threads": 1, **result}, indent=1))
    if a.out:
        with open(a.out, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["list", "row", *scores])
            whole = lambda x: int(x) if x == int(x) else x
            out.writerows(zip(map(whole, lists), (r + 1 for r in rows), *(s.tolist() for s in scores.values())))


# Commands

def lightgbm_command(a):
    train, valid, test = (read_lists(path, a) for path in (a.train, a.valid, a.test))
    if not train.names == valid.names == test.names:
        sys.exit("error: the three files have not the same columns")
    runs, scores = [], {}
    for objective in a.objectives.split(","):
        for seed in range(a.seeds + 1):
            model, seconds = trained(objective, seed, train, valid, a.money)
            start = time.process_time()
            test_scores = model.predict(test.features, num_threads=1)
            scores[f"{objective}/{seed}"] = test_scores
            runs.append({"objective": objective, "seed": seed, "trees": model.best_iteration, "seconds": seconds,
                         "score_ms": 1e3 * (time.process_time() - start), **measures(test_scores, test)})
    tell(a, {"features": train.names, "runs": runs, "seeds": summary(runs)}, test.lists, range(len(test.lists)), scores)


def folds_of(path, lists):
    """The fold of each list, from a file with columns row and fold."""
    table = pyarrow.csv.read_csv(path)
    folds = np.full(len(lists), -1)
    folds[table["row"].to_numpy() - 1] = table["fold"].to_numpy()
    if (folds < 0).any():
        sys.exit(f"error: {path}: it has no fold for row {np.flatnonzero(folds < 0)[0] + 1}")
    return folds[np.flatnonzero(np.diff(lists, prepend=-1))]


def folds_command(a):
    """Exponential gain, lists without gain count 1, as LightGBM has it."""
    features, label = load_svmlight_file(a.data, zero_based=True)
    lengths = np.loadtxt(a.lengths, dtype=int)
    features, count = features.toarray(), len(lengths)
    lists = np.repeat(np.arange(count), lengths)
    table = Table(features, [], label, label, lists)
    given = folds_of(a.folds, lists) if a.folds else np.arange(count) % 5
    draws = {"given" if a.folds else "index mod 5": given}
    draws |= {f"drawn {s}": np.random.default_rng(s).permutation(count) % 5 for s in range(1, a.draws + 1)}
    settings = {"defaults": {}, "example": {"bagging_fraction": 0.9, "bagging_freq": 1, "min_data_in_leaf": 50,
                                            "min_sum_hessian_in_leaf": 5}}
    runs, scores = [], {}
    for fold_name, folds in draws.items():
        for name, options in settings.items():
            out = np.zeros(len(label))
            for fold in np.unique(folds):
                rows = folds[lists] == fold
                data = lightgbm.Dataset(features[~rows], label[~rows], group=lengths[folds != fold])
                options = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, **options}
                out[rows] = lightgbm.train(options, data, 100).predict(features[rows], num_threads=1)
            scores[f"{name}/{fold_name}"] = out
            by_k = {f"ndcg@{k}": np.array([ndcg(out[p], 2 ** label[p] - 1, k) for p in table.parts()]) for k in AT}
            runs.append({"settings": name, "folds": fold_name,
                         **{k: float(np.nan_to_num(v, nan=1.0).mean()) for k, v in by_k.items()}})
    tell(a, {"runs": runs}, lists, range(len(lists)), scores)


def rows_of(a, count):
    """Part and list of each row."""
    if a.rows:
        table = pyarrow.csv.read_csv(a.rows)
        if table.num_rows != count:
            sys.exit(f"error: {a.rows}: it has {table.num_rows} lines for {count} rows")
        return table["part"].to_numpy(zero_copy_only=False).astype(str), table["list"].to_numpy()
    lists = np.empty(count, int)
    lists[np.random.default_rng(a.seed).permutation(count)] = np.arange(count) // a.list_size
    share = lists / (lists.max() + 1)
    return np.where(share < 0.6, "train", np.where(share < 0.8, "valid", "test")), lists


def read_money(a):
    """The three parts, and the rows of the file that they are."""
    columns = columns_of(a.data)
    columns.pop("", None)  # a nameless first column counts the rows
    for name in filter(None, a.ignore.split(",")):
        take(columns, a.data, name)
    label = take(columns, a.data, a.label)
    if a.costs:
        fp, fn, tp, tn = (take(columns, a.data, name) for name in a.costs.split(","))
        worth = np.column_stack([tn - fp, fn - tp])
    else:
        amount = columns[a.amount] if a.amount in columns else take(columns, a.data, a.amount)
        worth = np.column_stack([np.zeros_like(amount), amount])
    profit = np.where(label > 0, worth[:, 1], worth[:, 0])
    part, lists = rows_of(a, len(label))
    if a.write_rows:
        pathlib.Path(a.write_rows).write_text("part,list\n" + "".join(f"{p},{l}\n" for p, l in zip(part, lists)))
    features, names, tables, rows = np.column_stack(list(columns.values())), list(columns), {}, {}
    for name in ("train", "valid", "test"):
        own = np.flatnonzero(part == name)
        own = own[np.argsort(lists[own], kind="stable")]
        tables[name] = Table(features[own], names, label[own], profit[own], lists[own], worth[own])
        rows[name] = own
        if a.write_parts:
            write_part(pathlib.Path(a.write_parts) / f"{name}.csv", tables[name])
    return tables, rows


def write_part(path, t):
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"list": t.lists, "label": t.label.astype(int), "profit": t.profit}
    columns |= {name: t.features[:, i] for i, name in enumerate(t.names)}
    pyarrow.csv.write_csv(pyarrow.table(columns), path)


def cuts(scores):
    """How many of the highest scores a threshold can flag, none and all among them."""
    falling = -np.sort(-scores)
    return np.concatenate([[0], np.flatnonzero(falling[1:] < falling[:-1]) + 1, [len(scores)]])


def threshold_by(scores, value):
    """The score from which on to flag: value(count of the highest) is greatest."""
    counts = cuts(scores)
    count = counts[int(np.argmax([value(c) for c in counts]))]
    falling = -np.sort(-scores)
    if count == 0:
        return np.inf
    return (falling[count - 1] + falling[count]) / 2 if count < len(scores) else -np.inf


def money_of(objective, valid_scores, scores, valid, test):
    saved = np.concatenate([[0], np.cumsum(valid.profit[first(valid_scores, None)])])
    positive = valid.label[first(valid_scores, None)] > 0
    hits, total, n = np.concatenate([[0], np.cumsum(positive)]), positive.sum(), len(positive)
    rest = n - total

    def f1(c):  # macro, of the c highest
        right = rest - (c - hits[c])
        return hits[c] / (c + total) + right / (n - c + rest) if total and rest else 0
    levels = {"money_tuned": threshold_by(valid_scores, lambda c: saved[c]), "money_f1": threshold_by(valid_scores, f1)}
    if objective in ("l2", "log-profit", "expected"):
        levels["money_positive"] = np.nextafter(0, 1)
    return {name: float(test.profit[scores >= level].sum()) for name, level in levels.items()}


def money_command(a):
    tables, rows = read_money(a)
    train, valid, test = (tables[name] for name in ("train", "valid", "test"))
    runs, scores = [], {}

    def add(objective, seed, valid_scores, test_scores, about):
        scores[f"{objective}/{seed}"] = test_scores
        runs.append({"objective": objective, "seed": seed, **about, **measures(test_scores, test),
                     **money_of(objective, valid_scores, test_scores, valid, test)})
    for objective in a.objectives.split(","):
        for seed in range(a.seeds + 1):
            model, seconds = trained(objective, seed, train, valid, a.money)
            pair = [model.predict(t.features, num_threads=1) for t in (valid, test)]
            add(objective, seed, *pair, {"trees": model.best_iteration, "seconds": seconds})
            if objective == "binary":
                worth = [(1 - p) * t.worth[:, 0] + p * t.worth[:, 1] for p, t in zip(pair, (valid, test))]
                add("expected", seed, *worth, {"trees": model.best_iteration, "seconds": seconds})
    counts = {name: {"lists": len(t.lengths), "rows": len(t.label), "positives": int((t.label > 0).sum())}
              for name, t in tables.items()}
    whole = {"flag_all": float(test.profit.sum()), "flag_best": float(np.maximum(test.profit, 0).sum())}
    result = {"parts": counts, "test_money": whole, "runs": runs, "seeds": summary(runs)}
    tell(a, result, test.lists, rows["test"], scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    ranking, folds, money = (commands.add_parser(name) for name in ("lightgbm", "folds", "money"))
    for command, run in ((ranking, lightgbm_command), (folds, folds_command), (money, money_command)):
        command.set_defaults(run=run)
        command.add_argument("--out", help="CSV of scores")
    for name in ("train", "valid", "test", "list", "label", "profit"):
        ranking.add_argument("--" + name, required=True)
    ranking.add_argument("--objectives", default=",".join(OBJECTIVES))
    money.add_argument("--objectives", default="binary,l2,log-profit")
    for command in (ranking, money):
        command.add_argument("--ignore", default="", help="columns, comma-separated")
        command.add_argument("--seeds", type=int, default=3)
        command.add_argument("--money", type=float, default=20)
    for name in ("data", "lengths"):
        folds.add_argument("--" + name, required=True)
    folds.add_argument("--folds", help="CSV of row and fold, as attn-rank cv --out DIR leaves it in DIR/scores.csv")
    folds.add_argument("--draws", type=int, default=5)
    for name in ("data", "label"):
        money.add_argument("--" + name, required=True)
    for name in ("amount", "costs", "rows", "write-rows", "write-parts"):
        money.add_argument("--" + name)
    money.add_argument("--list-size", type=int, default=20)
    money.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    if a.run is money_command and bool(a.amount) == bool(a.costs):
        parser.error("money needs --amount or --costs")
    a.run(a)


if __name__ == "__main__":
    main()
