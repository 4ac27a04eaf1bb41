import warnings

import numpy as np
import pandas as pd
import pytest

from tasks.raters.agreement import COLUMNS, alpha_bootstrap, bootstrap, icc, krippendorff_alpha, reliability
from tasks.runtime.errors import InputError


def ratings(noise=0.5, prompts=20, samples=3, raters=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for arm in ("values", "control"):
        for p in range(prompts):
            for s in range(samples):
                truth = rng.normal(3, 1)
                rows += [{"arm": arm, "prompt_id": f"p{p}", "text_id": f"{arm}{p}.{s}", "rater": f"r{r}",
                          "rating": float(np.clip(round(truth + noise * rng.normal()), 1, 5))} for r in range(raters)]
    return pd.DataFrame(rows)


def test_agrees_with_pingouin():
    import pingouin

    data = ratings()
    with warnings.catch_warnings():  # pingouin's own, about pandas
        warnings.simplefilter("ignore")
        reference = pingouin.intraclass_corr(data, targets="text_id", raters="rater", ratings="rating")
    values = dict(zip(reference["Type"], reference["ICC"], strict=True))
    found = icc(data.pivot(index="text_id", columns="rater", values="rating").to_numpy())
    assert found["ICC(A,1)"] == pytest.approx(values["ICC(A,1)"])
    assert found["ICC(A,k)"] == pytest.approx(values["ICC(A,k)"])
    assert found["ICC(1)"] == pytest.approx(values["ICC(1,1)"])
    assert found["ICC(k)"] == pytest.approx(values["ICC(1,k)"])


@pytest.mark.parametrize("table", [np.ones((5, 3)), np.full((5, 3), np.nan), np.empty((0, 3)), np.ones((1, 3)),
                                   np.arange(5.0)[:, None]])
def test_nothing_to_agree_on(table):
    assert np.isnan(list(icc(table).values())).all()
    assert np.isnan(krippendorff_alpha(table))


def test_perfect_agreement():
    table = np.repeat(np.arange(1.0, 6)[:, None], 3, axis=1)
    assert list(icc(table).values()) == pytest.approx([1] * 6)
    assert krippendorff_alpha(table) == 1


def test_bootstrap_resamples_prompts_whole():
    table = np.random.default_rng(0).normal(size=(12, 2))
    prompts = np.repeat(["a", "b", "c", "d"], 3)
    seen = []
    bootstrap(table, prompts, lambda x: seen.append(len(x)) or float(x.mean()), draws=20)
    assert set(seen) == {12}
    assert np.isnan(bootstrap(table[:3], prompts[:3], lambda x: float(x.mean()))).all()
    assert np.isnan(bootstrap(table, prompts, lambda _: np.nan, draws=10)).all()


def test_table_per_arm_and_pooled():
    table = reliability(ratings(), draws=200)
    assert list(table.columns) == list(COLUMNS)
    assert table["arm"].drop_duplicates().tolist() == ["control", "values", "all"]
    assert table["coefficient"].unique().tolist() == ["ICC(A,1)", "ICC(A,k)", "alpha (ordinal)"]
    assert ((table["ci_lo"] < table["value"]) & (table["value"] < table["ci_hi"])).all()
    assert table["n_texts"].tolist() == [60] * 6 + [120] * 3


def test_one_way_where_raters_differ():
    data = ratings(raters=5)
    keep = np.random.default_rng(0).random(len(data)).argsort().argsort() % 5 < 3
    table = reliability(data[keep], draws=50)
    assert set(table["coefficient"]) == {"ICC(1)", "ICC(k)", "alpha (ordinal)"}
    assert (table.loc[table["coefficient"] == "ICC(1)", "value"] > 0.5).all()


def test_constant_single_and_empty_ratings():
    table = reliability(ratings().assign(rating=3.0), draws=20)
    assert table["value"].isna().all()
    assert table["reason"].notna().all()
    assert reliability(ratings(raters=1), draws=20)["value"].isna().all()
    assert reliability(ratings().assign(rating=np.nan), draws=20)["value"].isna().all()


def test_mistakes_are_named():
    with pytest.raises(InputError, match="no column rating"):
        reliability(ratings().drop(columns="rating"))
    with pytest.raises(InputError, match="twice"):
        reliability(pd.concat([ratings(), ratings()]))


def test_the_quick_interval_of_alpha_is_that_of_the_library():
    rng = np.random.default_rng(1)
    table = np.clip(np.round(3 + rng.normal(size=(24, 1)) + 0.7 * rng.normal(size=(24, 4))), 1, 5)
    table[rng.random(table.shape) < 0.3] = np.nan
    table[table == 4] = 5  # a value that nobody gave
    prompts = np.repeat([f"p{i}" for i in range(8)], 3)
    found = alpha_bootstrap(table, prompts, draws=60, seed=4)
    assert found == pytest.approx(bootstrap(table, prompts, krippendorff_alpha, draws=60, seed=4))
    assert np.isnan(alpha_bootstrap(np.full((6, 3), 2.0), prompts[:6], draws=10)).all()
    assert np.isnan(alpha_bootstrap(table[:3], prompts[:3], draws=10)).all()
