"""From random weights to a proof that gradient descent reaches zero loss, in one or two Gauss-Newton steps."""

import numpy as np

import hermite_dual as hd

images, labels = hd.load_digits()
X = hd.on_sphere(images[:20])
y = np.where(labels[:20] % 2 == 0, 1.0, -1.0)

net = hd.DEQ.paper("tanh", sigma_w2=0.02).sample(width=256, inputs=X.shape[1], seed=0)
print(net.certify_training(X, y), "\n")

run = net.train(X, y, step=1.0, epochs=4, method="gauss-newton", certify=True)
print(run.certificate, "\n")

# The proof is of exact gradient descent from the certified weights; the floats follow it.
start = run.certificate.network
descent = start.train(X, y, step=run.certificate.step, epochs=50)
moved = np.sqrt(sum(np.sum((getattr(descent.network, k) - getattr(start, k)) ** 2) for k in ("a", "W", "U")))
print(f"50 epochs of gradient descent: loss {descent.loss[0]:.3g} -> {descent.loss[-1]:.3g}")
print(f"distance {moved:.3g}, proven to stay within {run.certificate.radius:.3g}")
