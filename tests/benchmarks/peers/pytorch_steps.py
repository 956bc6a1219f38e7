"""W1 and W2 in PyTorch, `eager` or `compiled`, with the penalty in its closed form."""
import os
import sys

import torch
import torch.nn.functional as F

from cases import HIDDEN, INPUTS, RATE, answer_all


def make_step(loss, contraction, batch):
    torch.manual_seed(1)
    x = torch.rand(batch, INPUTS)
    w = (0.03 * torch.randn(INPUTS, HIDDEN)).requires_grad_()
    b = torch.zeros(HIDDEN, requires_grad=True)
    c = torch.zeros(INPUTS, requires_grad=True)

    def cost(w, b, c):
        h = torch.sigmoid(torch.addmm(b, x, w))
        logits = torch.addmm(c, h, w.t())
        if loss == "squared_error":
            value = (torch.sigmoid(logits) - x).square().sum() / batch
        else:
            value = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / batch
        if contraction:
            slope = h * (1 - h)
            value = value + contraction * (slope.square().mean(0) * w.square().sum(0)).sum()
        return value

    value_of = torch.compile(cost) if sys.argv[1] == "compiled" else cost
    parameters = (w, b, c)

    def step():
        gradients = torch.autograd.grad(value_of(*parameters), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter.sub_(gradient, alpha=RATE)

    return step


torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
answer_all(make_step)
