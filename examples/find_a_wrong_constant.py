"""Finite networks tell a right Gram matrix from one with a wrong constant, and from one of another activation."""

import hermite_dual as hd

X = hd.on_sphere(hd.load_digits()[0][:60])
model = hd.DEQ.paper("tanh", sigma_w2=0.08)
conjectures = {
    "model.gram(X)": None,
    "sigma_w half as large again": model.replace(sigma_w=1.5 * model.sigma_w).gram(X).matrix,
    "another activation": hd.DEQ.paper("erf", sigma_w2=0.08).gram(X).matrix,
}
for name, population in conjectures.items():
    report = model.validate(X, widths=(256, 512), replicas=12, seed=0, population=population)
    print(f"{name}: {report}")
