"""The picture of the README: an activation in no table, its dual kernel, and networks that approach the limit."""

import matplotlib.pyplot as plt

import hermite_dual as hd

phi = "x*Phi(x)*exp(-x)"
X = hd.on_sphere(hd.load_digits()[0][:100])
report = hd.DEQ.paper(phi, sigma_w2=0.02).validate(X, widths=(64, 128, 256, 512), seed=0)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
hd.dual(phi).plot(left)
hd.plot_error_by_width(report, right)
figure.savefig("from_a_formula_to_a_verdict.png", dpi=120)
print(report)
