"""Scales under names of other conventions are answered by what to write instead."""

import inspect
import re

import pytest

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.sklearn import DualKernel


@pytest.mark.parametrize(
    ("call", "remedy", "same"),
    [
        (
            lambda: hd.DEQ("tanh", sigma_w2=0.3),
            "write DEQ.paper(phi, sigma_w2=0.3), which is DEQ(phi, sigma_w=0.774597, sigma_u=1.41421)",
            (hd.DEQ.paper("tanh", 0.3), hd.DEQ("tanh", 0.774597, 1.41421)),
        ),
        (
            lambda: hd.DEQ.paper("tanh", sigma_w=0.4),
            "write sigma_w2=0.08, or with this sigma_w and the same inputs DEQ(phi, sigma_w=0.4, sigma_u=1.41421)",
            (hd.DEQ.paper("tanh", 0.08), hd.DEQ("tanh", 0.4, 1.41421)),
        ),
        (
            lambda: hd.DEQ.paper("tanh", sigma_w2=0.08, sigma_b=0.1),
            "write DEQ(phi, sigma_w=0.4, sigma_u=1.41421, sigma_b=0.1)",
            (hd.DEQ.paper("tanh", 0.08).replace(sigma_b=0.1), hd.DEQ("tanh", 0.4, 1.41421, 0.1)),
        ),
        (
            lambda: DualKernel("tanh", sigma_w2=0.08),
            "write sigma_w=0.4, sigma_u=1.41421",
            (hd.DEQ.paper("tanh", 0.08), hd.DEQ("tanh", 0.4, 1.41421)),
        ),
        (lambda: hd.MLP("relu", 2, sigma_w2=2.0), "write sigma_w=2, or sigma_w=1.41421 if a variance was meant", None),
        (lambda: hd.MLP("relu", 2, sigma_u=1.2), "write sigma_w=[1.2, ...]", None),
        (lambda: hd.DEQ("tanh", W_std=0.3), "write sigma_w=0.3", None),
        (lambda: hd.DEQ("tanh", 0.3, sigma_b2=0.04), "write sigma_b=0.2, its square root", None),
        (lambda: hd.DEQ("tanh", sigma_w_squared=0.09), "write sigma_w=0.3, its square root", None),
    ],
)
def test_the_sentence_translates(call, remedy, same):
    with pytest.raises(InvalidInputError, match=re.escape(remedy)):
        call()
    if same is not None:
        for name in ("sigma_w", "sigma_u", "sigma_b"):
            assert getattr(same[0], name) == pytest.approx(getattr(same[1], name), rel=1e-5)


def test_a_wrong_number_is_named_before_it_is_translated():
    with pytest.raises(InvalidInputError, match=r"sigma_w2 = -1\.0"):
        hd.DEQ("tanh", sigma_w2=-1)


def test_other_names_and_signatures_are_python_s():
    with pytest.raises(TypeError, match="colour"):
        hd.DEQ("tanh", 0.3, colour=1)
    with pytest.raises(TypeError, match="sigma_w"):
        hd.DEQ("tanh")
    assert list(inspect.signature(hd.DEQ).parameters) == ["phi", "sigma_w", "sigma_u", "sigma_b"]
    assert "sigma_w_bounds" in DualKernel("tanh").get_params()
