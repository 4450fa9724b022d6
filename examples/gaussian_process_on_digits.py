"""Read handwritten digits with scikit-learn: a Gaussian process whose scales are fitted by gradient, and an SVC.

Needs scikit-learn: pip install "hermite-dual[sklearn]".
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.svm import SVC

import hermite_dual as hd
from hermite_dual.sklearn import DualKernel

FITTED, TRAINED, TESTED = 200, 600, 600
"""Images that the scales are fitted to, those that are learnt, and those that are read."""


def main() -> None:
    """Print scales, likelihoods and the test accuracy of both for two activations."""
    images, labels = hd.load_digits()
    order = np.random.default_rng(0).permutation(len(images))
    X, y = hd.on_sphere(images)[order], labels[order]
    train, test = slice(0, TRAINED), slice(TRAINED, TRAINED + TESTED)
    targets = np.eye(10)[y] - 0.1
    for name in ("tanh", "gelu"):
        kernel = ConstantKernel(1.0) * DualKernel(name, sigma_u_bounds=(0.3, 1.5)) + WhiteKernel(1e-2)
        process = GaussianProcessRegressor(kernel)
        with warnings.catch_warnings():
            # A scale that ends at its bound is a result, and is printed below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            process.fit(X[:FITTED], targets[:FITTED])
        before, after = process.log_marginal_likelihood(kernel.theta), process.log_marginal_likelihood_value_
        print(f"{name}: {process.kernel_}, log likelihood {before:.1f} -> {after:.1f}")
        reader = GaussianProcessRegressor(process.kernel_, optimizer=None).fit(X[train], targets[train])
        share = np.mean(reader.predict(X[test]).argmax(axis=1) == y[test])
        machine = SVC(kernel=process.kernel_.k1.k2, C=10.0).fit(X[train], y[train])
        print(f"  test accuracy: Gaussian process {share:.4f}, SVC {machine.score(X[test], y[test]):.4f}")


if __name__ == "__main__":
    main()
