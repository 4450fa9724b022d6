"""Every public result: short at the prompt, well-formed in a notebook, the same after a pickle."""

import dataclasses
import inspect
import pickle
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.claims import ClaimResult
from hermite_dual.notebook import Shown, told
from hermite_dual.validation.training_study import training_study

RNG = np.random.default_rng(0)
X, Y = (hd.on_sphere(RNG.standard_normal((n, 4))) for n in (6, 3))
TARGETS = np.ones(6)
NAMED = r"&(?!amp;|lt;|gt;|quot;)[A-Za-z]+;"
"""Signs that HTML has a name for and XML has not."""
MOST_LINES, MOST_CHARACTERS = 10, 1000
EQUAL = (hd.Activation, hd.CrossDual, hd.DEQ, hd.MLP, hd.Table, hd.CatalogueEntry)
"""Classes whose results are equal where they say the same."""


def results(folder):
    """Small calls that return every public result, under the calls' names."""
    deq, mlp = hd.DEQ("tanh", 0.3), hd.MLP("relu", 2, 2**0.5)
    gram, theta = deq.gram(X), deq.ntk(X)
    stored = deq.store_gram(X, folder / "K.zarr")
    network = hd.DEQ.paper("tanh", 0.05).sample(40, 4, seed=0)
    run = network.train(X, TARGETS, step=0.01, epochs=2)
    field = hd.mean_field("tanh", 1.5, 0.1, digits=8)
    edge = hd.edge_of_chaos("tanh", q=0.5, digits=8)[0]
    report = deq.validate(X, widths=(8, 16), replicas=2)
    certificate = network.certify_training(X, TARGETS)
    study = training_study(["tanh"], (X, TARGETS), (16,), sigma_w2=0.05, epochs=1)
    check = deq.check(X)
    draw = hd.DEQ.paper("tanh", 0.02).sample_contracting(40, 4, seed=0)
    relu, prediction = hd.dual("relu"), theta.predict(TARGETS, deq.ntk(Y, X))
    shape = hd.activation("relu").shape
    return {
        "activations": [hd.activation(phi) for phi in ("selu", "x*erf(x)")] + [hd.activation(np.tanh)],
        "long formula": hd.activation(sum(hd.x**k * sp.sin(k * hd.x) for k in range(40))),
        "duals": [relu, hd.dual("relu", "erf"), hd.dual("softplus")],
        "expansion": hd.dual("tanh").expansion(1e-8),
        "series": [hd.dual("tanh").series(12), hd.dual("sin").series(4)],
        "forms": [hd.dual(phi).derivative_closed_form() for phi in ("selu", "tanh")],
        "sphere": hd.dual("erf").sphere_eigenvalues(3, 3),
        "constants": [relu.constants(), relu.explicit_equivalent(0.2)],
        "catalogue": [hd.catalogue(), *hd.catalogue()],
        "made": [hd.activation_from_dual([0.5, 0.25, 0.25]), hd.tailored_leaky_relu(50)],
        "models": [
            deq,
            mlp,
            hd.MLP([hd.activation(phi) for phi in ("relu", "tanh")] * 200),
            *mlp.layers[:1],
            gram.model,
        ],
        "kernels": [gram, theta, mlp.gram(X), deq.gram(X, Y), theta.gram, stored],
        "stored": [deq.gram_cost((5000, 30), rates=None), stored.entry_sums, stored.entry_sums.error],
        "proofs": [gram.entry_bounds, gram.eigenvalues(), gram.least_eigenvalue(), *gram.lower_bounds()],
        "claims": [gram.check_lower_bound(0.01), hd.check_lower_bound(np.eye(3), 0.5)],
        "prediction": [prediction, prediction.training, prediction.mean_bounds, theta.training_rate(), gram.series(4)],
        "check": [check, *check.hypotheses],
        "mean field": [
            field,
            *field.fixed_points,
            field.fixed_points[0].enclosure,
            edge,
            edge.enclosure,
            edge.approach,
        ],
        "phases": hd.phase_diagram("tanh", [1.0, 2.0], [0.0, 0.1]),
        "networks": [network, mlp.sample(8, 4, seed=0), deq.sample_untied(8, 4, 2, seed=0), draw],
        "finite": [network.equilibrium(X), network.ntk(X), network.norm_bounds(), mlp.sample(8, 4, seed=0).weights[0]],
        "training": [run, *run.claims, certificate, certificate.start, study, *study.runs],
        "validation": [report, *report.directions, report.entries, *report.parameter_ranges, report.control],
        "findings": [*report.comparisons, report.least_eigenvalues, *report.errors_by_width],
        "frequencies": list(report.least_eigenvalues.by_width),
        "table": hd.table(["relu", "tanh"], ["name", "dual", "lipschitz", "coefficients"]),
        "sweep": hd.sweep(["tanh"], [0.3], (8, 16), X=X, out=folder / "sweep", replicas=2),
        "shape": [shape, shape.pieces, *shape.sides],
        "atlas": [hd.atlas(), hd.atlas("gelu"), hd.atlas("tanh")],
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    def flat(value):
        if isinstance(value, (list, tuple)) and not isinstance(value, Shown):
            return [one for item in value for one in flat(item)]
        return [] if value is None else [value]

    return [(name, value) for name, made in results(tmp_path_factory.mktemp("shown")).items() for value in flat(made)]


def same(one, other):
    """Whether two values say the same, arrays by their entries."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return repr(one) == repr(other)


@pytest.mark.slow
def test_every_public_class_is_walked_over(shown):
    seen = {type(value) for _, value in shown}
    public = [getattr(hd, name) for name in dir(hd)]
    classes = {kind for kind in public if inspect.isclass(kind) and issubclass(kind, Shown)}
    assert classes <= seen
    assert {kind for kind in public if dataclasses.is_dataclass(kind)} <= classes


@pytest.mark.slow
def test_results_are_short_at_the_prompt(shown):
    for name, value in shown:
        text = repr(value)
        assert len(text.splitlines()) <= MOST_LINES, name
        assert 0 < len(text) <= MOST_CHARACTERS, name
        assert "array(" not in text, name
        assert " at 0x" not in text, name


@pytest.mark.slow
def test_results_are_well_formed_in_a_notebook(shown):
    for name, value in shown:
        html = value._repr_html_()
        ET.fromstring(f"<div>{re.sub(NAMED, ' ', html)}</div>")
        assert " at 0x" not in html, name


@pytest.mark.slow
def test_results_are_the_same_after_a_pickle(shown):
    for name, value in shown:
        again = pickle.loads(pickle.dumps(value))
        assert type(again) is type(value)
        if isinstance(value, hd.DualForm):  # SymPy writes some of its terms otherwise
            half = {hd.rho: sp.Rational(1, 2)}
            assert value.unit is None or abs((again.unit - value.unit).subs(half).evalf(20)) < 1e-15
            continue
        assert repr(again) == repr(value), name
        if dataclasses.is_dataclass(value) and not isinstance(value, EQUAL):
            for field in dataclasses.fields(value):
                one, other = getattr(value, field.name), getattr(again, field.name)
                assert not field.repr or same(one, other), (name, field.name)
                if isinstance(other, np.ndarray):
                    assert other.flags.writeable == one.flags.writeable, (name, field.name)


@pytest.mark.slow
def test_equality_is_by_value_where_it_is_promised(shown):
    for name, value in shown:
        by_value = isinstance(value, EQUAL) and not (isinstance(value, hd.Activation) and value.expr is None)
        again = pickle.loads(pickle.dumps(value)) if by_value else value
        assert (again == value) is True, name
        if isinstance(value, (hd.Activation, hd.CrossDual, hd.DEQ, hd.MLP)):
            assert hash(again) == hash(value), name
    assert hd.dual("relu") == hd.dual(sp.Max(hd.x, 0)) != hd.dual("erf")
    assert hd.dual("relu", "erf") != hd.dual("erf", "relu")
    assert hd.dual("relu") != "relu"
    assert hd.DEQ("tanh", 0.3) != hd.DEQ("tanh", 0.4)


def test_a_missing_closed_form_has_its_reason_beside_it():
    html = hd.dual("softplus")._repr_html_()
    assert hd.dual("softplus").no_closed_form_because.split(" is ")[1][:20] in html
    assert "<p>" not in hd.dual("relu")._repr_html_().split("</div>", 1)[1]


def test_values_are_told_in_a_line():
    assert told(np.float64(0.5)) == "0.5"
    assert told(np.zeros((2, 3))) == "<2 x 3 numbers>"
    assert told(np.sin) is None
    assert told((np.sin,)) is None
    assert told(hd.Outcome.PROVEN) == "PROVEN"
    assert told(tuple(range(1000))) == "<1000 values>"
    assert told({"a": 1, "b": object()}) == "<2 values>"
    assert told("x" * 300).endswith("...")


def test_the_catalogue_answers_by_name():
    names = hd.catalogue()
    assert "relu" in names
    assert "Leaky ReLU" in names
    assert "nonsense" not in names
    assert names["relu"] in names
    assert names["ramp"].name == "relu"
    assert names[0].name == names.names[0]
    assert len(names.names) == len(names)
    with pytest.raises(hd.InvalidInputError, match=r"'gelo'; there are .*gelu"):
        names["gelo"]


def test_the_package_shows_what_is_public():
    head = hd.__doc__.split("\n\n")[2]
    names = [line.split("(")[0].strip() for line in head.splitlines()]
    assert len(names) == 6
    assert {*names, "x", "c", "load", "open_gram"} <= set(dir(hd))
    assert not {"importlib", "Any", "TYPE_CHECKING"} & set(dir(hd))


@pytest.mark.slow  # it loads every module
def test_a_star_leaves_the_names_of_programs_alone():
    namespace = {"x": 1, "c": 2}
    exec("from hermite_dual import *", namespace)
    assert (namespace["x"], namespace["c"]) == (1, 2)
    assert namespace["dual"] is hd.dual


def test_a_claim_of_a_file_is_shown():
    assert issubclass(ClaimResult, Shown)
