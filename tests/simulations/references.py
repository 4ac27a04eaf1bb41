"""Published and worked values that the functions must give back (`check` prints them, the tests ask for them)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.bias import logodds
from tasks.raters import agreement
from tasks.stats import noninferiority
from tasks.stats.paired import bayes_factor
from tasks.stats.power import detectable_d


@dataclass(frozen=True)
class Figure:
    """One checked figure and the bounds (inclusive) that it must keep."""

    name: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """False also for NaN."""
        return self.low <= self.value <= self.high


SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
_ = np.nan
KRIPPENDORFF = np.array([  # four observers, twelve units
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _]], float).T


def near(name: str, value: float, expected: float, digits: int) -> Figure:
    """A figure that must round to the expected one."""
    half = 0.5 * 10.0**-digits * (1 + 1e-9)
    return Figure(name, value, expected - half, expected + half)


def references() -> Iterator[Figure]:
    """Every reference value (docs/method.md, "Checked by simulation")."""
    lo, hi = noninferiority.tango_interval(40, 20, 160)
    yield near("Tango b=40 c=20 n=160: 95% interval, lower", lo, 0.0309, 4)
    yield near("Tango b=40 c=20 n=160: 95% interval, upper", hi, 0.2181, 4)
    yield near("Tango b=c=20 n=1000 margin .02: z", noninferiority.tango_z(20, 20, 1000, -0.02), 2.899, 3)
    yield near("Tango b=c=0 n=20 margin .01: p", noninferiority.noninferiority_p(0, 0, 20, 0.01), 0.327, 3)
    yield near("items for 80% power of equivalence, 10% discordant, margin .05",
               noninferiority.normal_items(0.1, 0.05), 343, 0)
    yield near("items for 80% power of equivalence, 10% discordant, margin .02",
               noninferiority.normal_items(0.1, 0.02), 2141, 0)
    yield near("items for 80% power of no loss (normal), 10% discordant, margin .05",
               noninferiority.normal_items(0.1, 0.05, sides=1), 248, 0)
    expected = {"ICC(1)": 0.166, "ICC(A,1)": 0.290, "ICC(C,1)": 0.715, "ICC(k)": 0.443, "ICC(A,k)": 0.620,
                "ICC(C,k)": 0.909}
    for name, value in agreement.icc(SHROUT_FLEISS).items():
        yield near(f"Shrout-Fleiss {name}", value, expected[name], 3)
    levels: dict[agreement.Level, float] = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
    for level, alpha in levels.items():
        yield near(f"Krippendorff's example, {level}", agreement.krippendorff_alpha(KRIPPENDORFF, level), alpha, 3)
    y, x, hundred = np.array([10.0, 5, 85]), np.array([5.0, 10, 85]), np.array([100.0])
    delta, precision = logodds.moments(y, x, hundred, hundred, np.array([1.0, 1, 8]), 10)
    yield near("log-odds (10,5,85) against (5,10,85): delta", float(delta[0]), 0.6554, 4)
    z = delta * np.sqrt(precision)
    yield near("log-odds (10,5,85) against (5,10,85): z", float(z[0]), 1.2914, 4)
    yield near("JZS Bayes factor t=2.5 n=40", bayes_factor(2.5, 40), 2.635, 3)
    yield near("JZS Bayes factor t=0 n=40", bayes_factor(0.0, 40), 0.1706, 4)
    yield near("detectable d_z, 40 prompts, one test", detectable_d(40), 0.45, 2)
    yield near("detectable d_z, 40 prompts in 8 categories, six tests", detectable_d(40, df=32, tests=6), 0.58, 2)
