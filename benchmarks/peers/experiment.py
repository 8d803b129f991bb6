"""What spotify-confidence, statsmodels and savvi say of the experiment of ``benchmarks.experiment_peers``.

    .peers/bin/python -m benchmarks.peers.experiment SAMPLE.json FOUND.json

The environment needs spotify-confidence==4.1.0, statsmodels==0.15.0, savvi==0.3.1 and matplotlib besides pandas.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spotify_confidence as spotify
import statsmodels.api as sm
from savvi.linear_regression import LinearRegression
from savvi.multinomial import Multinomial
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

LEVEL, PHI = 0.05, 100.0


def main(sample: Path, output: Path) -> None:
    given = json.loads(sample.read_text())
    frame = pd.DataFrame({name: given[name] for name in ("group", "clicks", "requests", "watch", "earlier")})
    found = {
        "mean": mean_of(frame),
        "ratio": ratio_of(frame),
        "cuped": cuped_of(frame),
        "sequential": sequential_of(frame),
        "mismatch": mismatch_of(frame),
        "holm": multipletests(given["p_values"], LEVEL, "holm")[1].tolist(),
        "bonferroni": multipletests(given["p_values"], LEVEL, "bonferroni")[1].tolist(),
        "benjamini_hochberg": multipletests(given["p_values"], LEVEL, "fdr_bh")[1].tolist(),
        "power": [float(NormalIndPower().power(0.1, 500, LEVEL, ratio=1.0))],
    }
    output.write_text(json.dumps(found, indent=2) + "\n")


def mean_of(frame: pd.DataFrame) -> list[float]:
    """Welch's test of watch time a user, by spotify-confidence: difference, p-value, ends of the interval."""
    sums = frame.assign(squares=frame.watch**2, users=1).groupby("group", as_index=False).sum()
    test = spotify.StudentsTTest(sums, "watch", "squares", "users", "group")
    line = test.difference(level_1="control", level_2="bold", absolute=True).iloc[0]
    return [float(line[name]) for name in ("difference", "p-value", "ci_lower", "ci_upper")]


def ratio_of(frame: pd.DataFrame) -> list[float]:
    """Clicks a request, by statsmodels: a regression of requests on the group, with errors clustered by user."""
    rows = frame.loc[frame.index.repeat(frame.requests)]
    within = rows.groupby(level=0).cumcount()
    clicked = (within < rows.clicks).astype(float)
    design = sm.add_constant((rows.group == "bold").astype(float).to_numpy())
    options = {"groups": rows.index.to_numpy(), "use_correction": False}
    fitted = sm.OLS(clicked.to_numpy(), design).fit(cov_type="cluster", cov_kwds=options)
    return [float(fitted.params[1]), float(fitted.bse[1])]


def cuped_of(frame: pd.DataFrame) -> list[float]:
    """Watch time a user with the earlier one as covariate, by spotify-confidence's regression: difference, ends."""
    each = frame.assign(
        squares=frame.watch**2, feature_squares=frame.earlier**2, cross=frame.watch * frame.earlier, users=1
    )
    sums = each.groupby("group", as_index=False).sum()
    test = spotify.ZTestLinreg(
        sums, "watch", "squares", "users", categorical_group_columns="group",
        feature_column="earlier", feature_sum_squares_column="feature_squares", feature_cross_sum_column="cross",
    )  # fmt: skip
    line = test.difference(level_1="control", level_2="bold", absolute=True).iloc[0]
    return [float(line[name]) for name in ("difference", "ci_lower", "ci_upper")]


def sequential_of(frame: pd.DataFrame) -> list[float]:
    """Watch time a user, by savvi's regression whose intervals hold at all times: the half-width."""
    model = LinearRegression(LEVEL, 2, PHI)
    for watch, bold in zip(frame.watch, frame.group == "bold", strict=True):
        model.update(np.array([watch, 1.0, float(bold)]))
    ends: Any = np.asarray(model.calculate_conf_int())[1]
    return [float(ends[1] - ends[0]) / 2]


def mismatch_of(frame: pd.DataFrame) -> list[float]:
    """Numbers of users against shares of 0.52 and 0.48: spotify-confidence's p-value, and savvi's at all times."""
    counts = frame.assign(users=1).groupby("group", as_index=False).users.sum()
    test = spotify.StudentsTTest(counts.assign(watch=1.0, squares=1.0), "watch", "squares", "users", "group")
    p, _ = test.sample_ratio_test({"control": 0.52, "bold": 0.48})
    multinomial = Multinomial(LEVEL, np.array([0.52, 0.48]), k=1000)
    numbers = counts.set_index("group").users
    multinomial.update(np.array([numbers["control"], numbers["bold"]]))
    return [float(p), float(min(1.0, 1 / multinomial.odds))]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
