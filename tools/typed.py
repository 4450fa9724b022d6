"""What a user's program looks like to a type checker: `mypy --strict` passes where the wheel carries its types."""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import hermite_dual as hd

k = hd.dual("tanh")
assert_type(k, hd.Dual)
assert_type(k.coefficients(4), NDArray[np.float64])
assert_type(k.no_closed_form_because, str | None)

samples = hd.on_sphere(hd.load_digits()[0][:50])
model = hd.DEQ.paper("tanh", sigma_w2=0.08)
assert_type(model, hd.DEQ)
assert_type(model.gram(samples), hd.Gram)
assert_type(model.gram(samples, samples), hd.CrossGram)
assert_type(model.gram(samples).least_eigenvalue().outcome, hd.Outcome)
assert_type(model.validate(samples).verdict, hd.Verdict)
