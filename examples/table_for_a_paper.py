"""A table for a paper: closed forms, constants and proven least eigenvalues of twelve activations, as LaTeX."""

import hermite_dual as hd

SMOOTH = ["gelu", "silu", "tanh", "erf", "sin", "softplus", "mish", "atan", "x*erf(x)", "tanh(x/2)"]
TWELVE = ["relu", "leaky_relu", *SMOOTH]

X = hd.on_sphere(hd.load_digits()[0][:60])
columns = ["name", "dual", "coefficients", "lipschitz", "sigma_w_finite", "lambda"]
found = hd.table(TWELVE, columns, data=X, sigma_w2=0.05, coefficients=2, digits=4)
print(found.to_latex(label="tab:activations", caption="Activations on 60 digits.", fit=True))
