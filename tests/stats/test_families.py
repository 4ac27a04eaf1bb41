import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.stats.families import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_r_p_adjust_values():
    p = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert holm(p) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert benjamini_hochberg(p) == pytest.approx([0.05] * 5)
    assert benjamini_hochberg([0.001, 0.8, 0.02, 0.03]) == pytest.approx([0.004, 0.8, 0.04, 0.04])


def test_an_uncomputable_test_stays_in_the_family():
    assert holm([0.01, np.nan, np.nan]) == pytest.approx([0.03, 1, 1])
    assert benjamini_hochberg([0.01, np.nan, np.nan]) == pytest.approx([0.03, 1, 1])


def test_agrees_with_pingouin_where_nothing_is_missing():
    import pingouin

    p = np.random.default_rng(3).uniform(size=20) ** 3
    assert holm(p) == pytest.approx(pingouin.multicomp(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(pingouin.multicomp(p, method="fdr_bh")[1])


def test_none_at_all_and_one():
    assert len(holm([])) == 0
    assert holm([0.2]) == pytest.approx([0.2])
    assert benjamini_hochberg([0.2]) == pytest.approx([0.2])


def test_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, 1.2])


@given(P_VALUES, st.sampled_from([holm, benjamini_hochberg]), st.randoms(use_true_random=False))
def test_monotone_bounded_and_blind_to_order(p, adjust, random):
    corrected = adjust(p)
    assert np.all(corrected >= np.asarray(p) - 1e-15)
    assert np.all(corrected <= 1)
    assert np.all(np.diff(corrected[np.argsort(p, kind="stable")]) >= -1e-15)
    order = random.sample(range(len(p)), len(p))
    assert adjust(np.asarray(p)[order]) == pytest.approx(corrected[order])
