"""Kernels as arrays, their files, and matrices on disk opened by a process that has neither model nor samples."""

import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.identity import named_activation, named_formula, read_formula

RNG = np.random.default_rng(3)
X, Y = (hd.on_sphere(RNG.standard_normal((n, 4))) for n in (7, 3))
MODELS = [hd.DEQ("tanh", 0.3), hd.MLP(["relu", "abs"], sigma_w=1.2)]
KERNELS = {
    "gram": lambda model: model.gram(X),
    "ntk": lambda model: model.ntk(X),
    "cross": lambda model: model.gram(X, Y),
    "cross ntk": lambda model: model.ntk(X, Y),
}


@pytest.mark.parametrize("make", KERNELS.values(), ids=KERNELS)
def test_a_kernel_has_what_arrays_have(make):
    K = make(MODELS[0])
    matrix = np.array(K)
    assert (K.shape, K.dtype, K.ndim, len(K)) == (matrix.shape, np.float64, 2, 7)
    for key in ((0, 1), 2, slice(1, 3), (slice(None), -1), np.array([0, 2])):
        np.testing.assert_array_equal(K[key], matrix[key])
    right, left = RNG.standard_normal((matrix.shape[1], 2)), RNG.standard_normal((2, 7))
    np.testing.assert_array_equal(K @ right, matrix @ right)
    np.testing.assert_array_equal(left @ K, left @ matrix)
    np.testing.assert_array_equal(left.tolist() @ K, left @ matrix)
    np.testing.assert_array_equal(np.asarray(K.T), matrix.T)
    assert [row[0] for row in K] == matrix[:, 0].tolist()
    with pytest.raises(ValueError, match="read-only"):
        K[:2][0, 0] = 1.0


def test_a_turned_block_is_the_block_of_the_samples_exchanged():
    model = MODELS[0]
    turned, there = model.gram(Y, X).T, model.gram(X, Y)
    np.testing.assert_allclose(turned.matrix, there.matrix, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(turned.variances, there.variances)
    np.testing.assert_array_equal(turned.model.samples, there.model.samples)
    y = np.arange(7.0)
    one, other = (model.gram(X).predict(y, cross).mean for cross in (there.T, model.gram(Y, X)))
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=["deq", "mlp"])
@pytest.mark.parametrize("make", KERNELS.values(), ids=KERNELS)
def test_a_saved_kernel_is_loaded_with_model_and_errors(tmp_path, model, make):
    K = make(model)
    again = hd.load(K.save(tmp_path / "K.npz"))
    assert type(again) is type(K)
    np.testing.assert_array_equal(again.matrix, K.matrix)
    np.testing.assert_array_equal(again.model.samples, K.model.samples)
    assert again.model.activation == K.model.activation
    assert again.model.layers == K.model.layers
    assert (again.model.name, again.depth) == (K.model.name, K.depth)
    assert again.estimated_error == K.estimated_error
    assert again.entry_error == K.entry_error < np.inf
    assert not again.matrix.flags.writeable


def test_float32_and_scales_of_its_own_come_back(tmp_path):
    G = hd.DEQ(sp.Float(0.3) * sp.tanh(hd.x), 0.3, 1.5, 0.2).gram(X, dtype=np.float32)
    again = hd.load(G.save(tmp_path / "K.npz"))
    assert again.dtype == np.float32
    assert again.least_eigenvalue() == G.least_eigenvalue()
    assert (again.model.sigma_u, again.model.sigma_b) == (1.5, 0.2)


def test_files_that_are_no_kernels_are_refused(tmp_path):
    G = MODELS[0].gram(X)
    with pytest.raises(hd.InvalidInputError, match=r"saved as \.npz"):
        G.save(tmp_path / "K.npy")
    with pytest.raises(hd.InvalidInputError, match="Python function"):
        hd.DEQ(np.tanh, 0.3).gram(X).save(tmp_path / "K.npz")
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "X.npz", X=X)
    for name in ("X.npy", "X.npz", "missing.npz"):
        with pytest.raises(hd.DataFileError, match="no kernel that can be read"):
            hd.load(tmp_path / name)
    with pytest.raises(hd.DataFileError, match="holds no Gram matrix"):
        hd.load(tmp_path)


@pytest.mark.parametrize("change", ["matrix", "sigma_w"])
def test_altered_files_are_refused(tmp_path, change):
    path = MODELS[0].gram(X).save(tmp_path / "K.npz")
    arrays = dict(np.load(path))
    if change == "matrix":
        arrays["matrix"] = arrays["matrix"] * 2.0
    else:
        about = json.loads(str(arrays["about"]))
        about["model"]["sigma_w"] = 0.2
        arrays["about"] = np.array(json.dumps(about))
    np.savez(path, **arrays)
    with pytest.raises(hd.DataFileError, match="altered"):
        hd.load(path)


def test_damaged_files_are_refused(tmp_path):
    path = MODELS[0].gram(X).save(tmp_path / "K.npz")
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("matrix.npy").header_offset + 200
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(hd.DataFileError):
        hd.load(path)


@pytest.mark.parametrize("entry", hd.catalogue(), ids=lambda entry: entry.name)
def test_formulas_are_read_as_they_were_written(entry):
    phi = hd.activation(entry.name)
    again = named_activation(named_formula(phi))
    assert again == phi
    assert (again.name, again.lipschitz) == (phi.name, phi.lipschitz)


@pytest.mark.parametrize(
    "text",
    [
        "tanh('__import__(\"os\")')",
        "S('1+1')",
        "open('x')",
        "Symbol('x').subs",
        "lambda: 1",
        "x",
        "(1, 2)",
        "tanh(",
        "",
    ],
)
def test_texts_of_a_file_are_never_evaluated(text):
    with pytest.raises(hd.DataFileError):
        read_formula(text)


def test_stored_matrices_have_what_arrays_have(tmp_path, monkeypatch):
    G, S = MODELS[0].gram(X), MODELS[0].store_gram(X, tmp_path / "K.zarr", block=3)
    matrix = np.asarray(S)
    np.testing.assert_allclose(matrix, G.matrix, rtol=0, atol=1e-15)
    assert (len(S), S.ndim, S.T) == (7, 2, S)
    right = RNG.standard_normal((7, 2))
    np.testing.assert_allclose(S @ right, matrix @ right, rtol=1e-14)
    np.testing.assert_allclose(right.T @ S, right.T @ matrix, rtol=1e-14)
    with pytest.raises(ValueError, match="a copy"):
        np.asarray(S, copy=False)
    for call, remedy in ((S.eigenvalues, "least_eigenvalue"), (lambda: S.save("K.npz"), r"hermite_dual\.load")):
        with pytest.raises(hd.InvalidInputError, match=remedy):
            call()
    monkeypatch.setattr("hermite_dual.outofcore.stored_gram.machine_memory", lambda: 100.0)
    with pytest.raises(hd.InvalidInputError, match=r"read slices, G\[rows, columns\]"):
        np.asarray(S)


@pytest.mark.slow
def test_a_stored_matrix_opens_in_a_process_that_knows_nothing(tmp_path):
    S = MODELS[0].store_gram(X, tmp_path / "K.zarr", block=3)
    program = (
        f"import hermite_dual as hd; S = hd.open_gram({str(tmp_path / 'K.zarr')!r}); "
        "print(repr((S.entry_error, S.least_eigenvalue().lower, S.model.name, S.computed)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == repr((S.entry_error, S.least_eigenvalue().lower, "tanh", 0))
    again = pickle.loads(pickle.dumps(S))
    assert again.entry_error == S.entry_error


@pytest.mark.parametrize("kept", [True, False])
def test_an_opened_matrix_has_the_same_proofs(tmp_path, kept):
    np.save(tmp_path / "X.npy", X)
    source = X if kept else tmp_path / "X.npy"
    S = hd.DEQ("tanh", 0.3, 1.0, 0.1).store_gram(source, tmp_path / "K.zarr", depth=2, dtype=np.float32, block=4)
    again = hd.load(tmp_path / "K.zarr")
    assert (again.shape, again.dtype, again.depth, again.computed) == (S.shape, S.dtype, 2, 0)
    assert again.entry_error == S.entry_error
    assert again.check_lower_bound(1e-4).outcome is S.check_lower_bound(1e-4).outcome


def test_samples_that_moved_are_asked_for(tmp_path):
    np.save(tmp_path / "X.npy", X)
    model = MODELS[0]
    model.store_gram(tmp_path / "X.npy", tmp_path / "K.zarr")
    (tmp_path / "X.npy").rename(tmp_path / "Z.npy")
    with pytest.raises(hd.DataFileError, match="pass X, where they are now"):
        hd.open_gram(tmp_path / "K.zarr")
    assert hd.open_gram(tmp_path / "K.zarr", tmp_path / "Z.npy").shape == (7, 7)
    with pytest.raises(hd.InvalidInputError, match="data_sha256"):
        hd.open_gram(tmp_path / "K.zarr", 2.0 * X)
    # computed again from where they are, the folder knows the new place
    model.store_gram(tmp_path / "Z.npy", tmp_path / "K.zarr")
    assert hd.open_gram(tmp_path / "K.zarr").shape == (7, 7)


def test_unfinished_matrices_and_nameless_activations_are_not_opened(tmp_path):
    MODELS[0].store_gram(X, tmp_path / "K.zarr", block=3)
    (tmp_path / "K.zarr" / "gram" / "c" / "0" / "1").unlink()
    with pytest.raises(hd.DataFileError, match="1 of 6 blocks"):
        hd.open_gram(tmp_path / "K.zarr")
    hd.DEQ(np.tanh, 0.3).store_gram(X, tmp_path / "F.zarr", depth=1)
    with pytest.raises(hd.InvalidInputError, match=r"model\.store_gram\(X, path\)"):
        hd.open_gram(tmp_path / "F.zarr")


def test_a_file_in_place_of_a_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(hd.InvalidInputError, match=r"blocks are written to a folder.*numpy\.save"):
        MODELS[0].store_gram(X, tmp_path / "N.npy")
    assert not (tmp_path / "N.npy").exists()
    with pytest.raises(hd.InvalidInputError, match=r"tangent kernels are computed in memory.*save"):
        MODELS[0].ntk(X, out=tmp_path / "T.zarr")


def test_a_table_has_rows(monkeypatch):
    table = hd.table(["relu", "tanh"], ["name", "dual", "lipschitz"])
    rows = list(table)
    assert len(table) == len(rows) == 2
    assert rows[0] == {"name": "relu", "dual": hd.dual("relu").closed_form, "lipschitz": 1.0}
    assert rows[1]["dual"] is None
    frame = table.to_dataframe()
    assert list(frame.columns) == ["name", "dual", "lipschitz"]
    assert frame["name"].tolist() == ["relu", "tanh"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        table.to_dataframe()


def test_figures_take_names_expressions_and_matrices():
    titles = {
        "Dual kernel of relu": hd.plot_dual_kernel("relu"),
        "Dual kernel of x**2": hd.plot_dual_kernel(sp.Lambda(hd.x, hd.x**2)),
        "Dual kernel of relu, erf": hd.dual("relu", "erf").plot(),
        "Dual kernels": hd.plot_dual_kernel(["relu", sp.tanh, hd.dual("gelu")]),
        "Hermite coefficients": hd.plot_coefficients([sp.tanh, "gelu"]),
        "Spectrum of the matrix": hd.plot_spectrum(np.diag([1.0, 2.0, 3.0])),
        "Spectrum of the population Gram matrix": MODELS[0].gram(X).plot(),
    }
    for title, axes in titles.items():
        assert axes.get_title(loc="left") == title
    spectrum = titles["Spectrum of the matrix"].lines[0].get_ydata()
    np.testing.assert_allclose(spectrum, [3.0, 2.0, 1.0], rtol=1e-15)
    line = hd.dual("relu", "erf").plot().lines[2].get_ydata()
    a, b = (hd.dual(name).coefficients(2) for name in ("relu", "erf"))
    np.testing.assert_allclose(line[[0, -1]], [a[0] * b[0] - a[1] * b[1], a[0] * b[0] + a[1] * b[1]], atol=1e-15)
    with pytest.raises(hd.InvalidInputError, match="theory"):
        hd.plot_spectrum(np.eye(3), theory=True)
    with pytest.raises(hd.InvalidInputError, match="symmetric"):
        hd.plot_spectrum(np.array([[1.0, 2.0], [0.0, 1.0]]))
