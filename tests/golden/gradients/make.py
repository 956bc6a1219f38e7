#!/usr/bin/python3
"""Writes the stored values that `jacquard gradients` is tested against.

Made with PyTorch 1.13.1 (python3-torch 1.13.1+dfsg-4) and NumPy 1.24.2 (python3-numpy), both of
Debian 12, in float64 on the CPU. Each case is a spec and, beside it, the same cost written with
PyTorch's own functions; every derivative below is PyTorch's, Jacobians one example at a time. To
make the files again: /usr/bin/python3 tests/golden/gradients/make.py

For each case: NAME.json (the spec), NAME.params.npz (an array per parameter), NAME.data.npz (an
array per input) and NAME.result.npz (cost, terms/<name> raw, monitor/<name>, grad/<parameter>).
"""
import json
import pathlib
import zlib

import numpy
import torch
import torch.nn.functional as F
from torch.autograd.functional import hessian, jacobian

FOLDER = pathlib.Path(__file__).parent
BATCH, VISIBLE, HIDDEN, CODE, CLASSES = 5, 12, 7, 4, 3


class Case:
    """A spec without its parameters' shapes, and the same cost in PyTorch."""

    def __init__(self, name, about, parameters, data, define, cost, torch_cost, functions=None,
                 monitor=None):
        self.name, self.about, self.parameters, self.data = name, about, parameters, data
        self.define, self.cost, self.functions, self.monitor = define, cost, functions, monitor
        self.torch_cost = torch_cost  # (parameters, data) -> terms raw, monitors

    def spec(self):
        model = {"parameters": {k: list(s) for k, s in self.parameters.items()},
                 "define": self.define}
        sections = {"model": model, "functions": self.functions, "cost": self.cost,
                    "monitor": self.monitor}
        lines = [f'  "name": "{self.name}"']
        for name, section in sections.items():
            if section:
                fields = [f'    "{k}": {json.dumps(v)}' for k, v in section.items()]
                lines.append(f'  "{name}": {{\n' + ",\n".join(fields) + "\n  }")
        return f"// {self.about}\n{{\n" + ",\n".join(lines) + "\n}\n"

    def weight(self, term):
        cost = self.cost[term]
        return cost["weight"] if isinstance(cost, dict) else 1.0

    def write(self):
        draw = numpy.random.Generator(numpy.random.PCG64(zlib.crc32(self.name.encode())))
        values = {k: draw.normal(0, 0.5, s) for k, s in self.parameters.items()}
        data = {}
        for name, make in self.data.items():
            data[name] = make(draw, data)
        parameters = {k: torch.tensor(v, requires_grad=True) for k, v in values.items()}
        terms, monitors = self.torch_cost(parameters, {k: torch.tensor(v) for k, v in data.items()})
        cost = sum(self.weight(name) * term for name, term in terms.items())
        gradients = torch.autograd.grad(cost, list(parameters.values()), allow_unused=True)
        result = {"cost": cost.detach().numpy()}
        result |= {f"terms/{k}": v.detach().numpy() for k, v in terms.items()}
        result |= {f"monitor/{k}": v.detach().numpy() for k, v in monitors.items()}
        for (name, value), gradient in zip(values.items(), gradients):
            zeros = numpy.zeros_like(value)
            result[f"grad/{name}"] = zeros if gradient is None else gradient.numpy()
        (FOLDER / f"{self.name}.json").write_text(self.spec())
        numpy.savez(FOLDER / f"{self.name}.params.npz", **values)
        numpy.savez(FOLDER / f"{self.name}.data.npz", **data)
        numpy.savez(FOLDER / f"{self.name}.result.npz", **result)


def pixels(draw, _):
    return draw.uniform(0, 1, (BATCH, VISIBLE))


def labels(draw, _):
    return draw.integers(0, CLASSES, BATCH)


def masked(draw, data):
    return data["x"] * (draw.uniform(0, 1, (BATCH, VISIBLE)) > 0.3)


TIED = {"W": (VISIBLE, HIDDEN), "b": (HIDDEN,), "c": (VISIBLE,)}
UNTIED = {"W": (VISIBLE, HIDDEN), "b": (HIDDEN,), "V": (HIDDEN, VISIBLE), "c": (VISIBLE,)}


def bernoulli(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]


def mean_squared_jacobian(function, x):
    """The mean over the examples of the squared Frobenius norm of the Jacobian of each."""
    per_example = [(jacobian(function, row, create_graph=True) ** 2).sum() for row in x]
    return torch.stack(per_example).mean()


def kl_to_rate(rate, h):
    mean = h.mean(0)
    target = torch.full_like(mean, rate)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


# --- the costs in PyTorch


def plain(p, d):
    h = torch.sigmoid(F.linear(d["x"], p["W"].t(), p["b"]))
    logits = F.linear(h, p["W"], p["c"])
    terms = {"reconstruction": bernoulli(logits, d["x"]), "decay": p["W"].pow(2).sum()}
    return terms, {"active": (h > 0.5).double().mean()}


def denoising(p, d):
    y = F.linear(torch.tanh(F.linear(d["xe"], p["W"].t(), p["b"])), p["V"].t(), p["c"])
    wrong = (d["xe"] != d["x"]).double()
    error = (y - d["x"]).pow(2)
    return {"corrupted": (wrong * error).sum(1).mean(),
            "kept": ((1 - wrong) * error).sum(1).mean()}, {}


def sparse(p, d):
    h = torch.sigmoid(F.linear(d["x"], p["W"].t(), p["b"]))
    y = F.linear(h, p["V"].t(), p["c"])
    return {"reconstruction": F.mse_loss(y, d["x"], reduction="sum") / BATCH / 2,
            "sparsity": kl_to_rate(0.05, h), "l1": h.abs().sum(1).mean()}, {}


def contractive(p, d):
    def encode(x):
        return torch.sigmoid(x @ p["W"] + p["b"])

    logits = encode(d["x"]) @ p["W"].t() + p["c"]
    return {"reconstruction": bernoulli(logits, d["x"]),
            "contraction": mean_squared_jacobian(encode, d["x"])}, {}


def contractive_two_layers(p, d):
    def encode(x):
        return F.softplus(torch.tanh(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])

    logits = torch.tanh(encode(d["x"]) @ p["W2"].t() + p["c2"]) @ p["W1"].t() + p["c1"]
    return {"reconstruction": bernoulli(logits, d["x"]),
            "contraction": mean_squared_jacobian(encode, d["x"])}, {}


def reconstruction_jacobian(p, d):
    def reconstruct(x):
        return torch.sigmoid(torch.tanh(x @ p["W"] + p["b"]) @ p["V"] + p["c"])

    return {"reconstruction": F.mse_loss(reconstruct(d["x"]), d["x"], reduction="sum") / BATCH,
            "contraction": mean_squared_jacobian(reconstruct, d["x"])}, {}


def curvature(p, d):
    def energy(x):
        return F.softplus(x @ p["W"] + p["b"]).sum()

    hessians = torch.stack([hessian(energy, row, create_graph=True) for row in d["x"]])
    slopes = torch.stack([jacobian(energy, row, create_graph=True) for row in d["x"]])
    return {"curvature": hessians.pow(2).sum((1, 2)).mean(),
            "trace": hessians.diagonal(dim1=1, dim2=2).sum(1).mean(),
            "slope": slopes.pow(2).sum(1).mean()}, {}


def double_backpropagation(p, d):
    def logits(x):
        return torch.sigmoid(x @ p["W"] + p["b"]) @ p["V"] + p["c"]

    def loss(x, label):
        return F.cross_entropy(logits(x).unsqueeze(0), label.unsqueeze(0))

    slopes = [jacobian(lambda v: loss(v, label), x, create_graph=True)
              for x, label in zip(d["x"], d["labels"])]
    right = (logits(d["x"]).argmax(1) == d["labels"]).double().mean()
    return {"loss": F.cross_entropy(logits(d["x"]), d["labels"]),
            "slope": torch.stack(slopes).pow(2).sum(1).mean()}, {"right": right}


def combined(p, d):
    def encode(x):
        return torch.sigmoid(x @ p["W"] + p["b"])

    h = encode(d["xe"])
    return {"reconstruction": bernoulli(h @ p["W"].t() + p["c"], d["x"]),
            "sparsity": kl_to_rate(0.1, h),
            "contraction": mean_squared_jacobian(encode, d["xe"])}, {}


KL = {"kl(p, q)": "p*log(p/q) + (1-p)*log((1-p)/(1-q))"}
RECONSTRUCTION = "mean(cross_entropy_logits(logits, x))"
CONTRACTION = {"weight": 0.1, "value": "mean(sqnorm(jacobian(h, x)))"}

CASES = [
    Case("plain", "Tied sigmoid, cross-entropy, weight decay.", TIED, {"x": pixels},
         {"h": "sigmoid(x @ W + b)", "logits": "h @ W.T + c"},
         {"reconstruction": RECONSTRUCTION, "decay": {"weight": 0.01, "value": "sum(W^2)"}},
         plain, monitor={"active": "mean(h > 0.5)"}),
    Case("denoising", "Squared error with emphasis on what was corrupted; the noise is data.",
         UNTIED, {"x": pixels, "xe": masked},
         {"h": "tanh(xe @ W + b)", "y": "h @ V + c", "wrong": "xe != x"},
         {"corrupted": "mean(sum(wrong * (y - x)^2, axis=1))",
          "kept": {"weight": 0.5, "value": "mean(sum((1 - wrong) * (y - x)^2, axis=1))"}},
         denoising),
    Case("sparse", "KL to a target rate, and L1 of the code.", UNTIED, {"x": pixels},
         {"h": "sigmoid(x @ W + b)", "y": "h @ V + c"},
         {"reconstruction": "0.5 * mean(squared_error(y, x))",
          "sparsity": {"weight": 3, "value": "sum(kl(0.05, mean(h, axis=0)))"},
          "l1": {"weight": 1e-3, "value": "mean(sum(abs(h), axis=1))"}}, sparse, KL),
    Case("contractive", "The Jacobian of one sigmoid layer.", TIED, {"x": pixels},
         {"h": "sigmoid(x @ W + b)", "logits": "h @ W.T + c"},
         {"reconstruction": RECONSTRUCTION, "contraction": CONTRACTION}, contractive),
    Case("contractive_two_layers", "The Jacobian of a tanh layer under a softplus layer, tied.",
         {"W1": (VISIBLE, HIDDEN), "b1": (HIDDEN,), "W2": (HIDDEN, CODE), "b2": (CODE,),
          "c2": (HIDDEN,), "c1": (VISIBLE,)}, {"x": pixels},
         {"h1": "tanh(x @ W1 + b1)", "h": "softplus(h1 @ W2 + b2)",
          "logits": "tanh(h @ W2.T + c2) @ W1.T + c1"},
         {"reconstruction": RECONSTRUCTION, "contraction": CONTRACTION}, contractive_two_layers),
    Case("reconstruction_jacobian", "The Jacobian of the whole autoencoder, untied.", UNTIED,
         {"x": pixels},
         {"h": "tanh(x @ W + b)", "y": "sigmoid(h @ V + c)"},
         {"reconstruction": "mean(squared_error(y, x))",
          "contraction": {"weight": 0.01, "value": "mean(sqnorm(jacobian(y, x)))"}},
         reconstruction_jacobian),
    Case("curvature", "Hessian and slope of an energy, on which the bias c has no influence.", TIED,
         {"x": pixels},
         {"energy": "sum(softplus(x @ W + b), axis=1)"},
         {"curvature": "mean(sqnorm(hessian(energy, x)))",
          "trace": {"weight": -0.5, "value": "mean(trace(hessian(energy, x)))"},
          "slope": {"weight": 0.1, "value": "mean(sqnorm(jacobian(reshape(energy, [-1, 1]), x)))"}},
         curvature),
    Case("double_backpropagation", "A classifier with the squared input gradient of its loss.",
         {"W": (VISIBLE, HIDDEN), "b": (HIDDEN,), "V": (HIDDEN, CLASSES), "c": (CLASSES,)},
         {"x": pixels, "labels": labels},
         {"logits": "sigmoid(x @ W + b) @ V + c", "loss": "softmax_cross_entropy(logits, labels)"},
         {"loss": "mean(loss)",
          "slope": {"weight": 0.5, "value": "mean(sqnorm(gradient(sum(loss), x)))"}},
         double_backpropagation,
         monitor={"right": "mean(sum(one_hot(labels, 3) * (logits == max(logits, axis=1, "
                           "keepdims=true)), axis=1))"}),
    Case("combined", "Denoising, sparse and contractive; the Jacobian is at the noisy input.",
         TIED, {"x": pixels, "xe": masked},
         {"h": "sigmoid(xe @ W + b)", "logits": "h @ W.T + c"},
         {"reconstruction": RECONSTRUCTION,
          "sparsity": {"weight": 0.5, "value": "sum(kl(0.1, mean(h, axis=0)))"},
          "contraction": {"weight": 0.1, "value": "mean(sqnorm(jacobian(h, xe)))"}}, combined, KL),
]

if __name__ == "__main__":
    for case in CASES:
        case.write()
