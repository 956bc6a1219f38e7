"""W1 and W2 in JAX on the CPU, each step one compiled function that reuses its parameters' memory."""
import functools

import jax
import jax.numpy as jnp

from cases import HIDDEN, INPUTS, RATE, answer_all


def make_step(loss, contraction, batch):
    keys = jax.random.split(jax.random.PRNGKey(1))
    x = jax.random.uniform(keys[0], (batch, INPUTS))

    def cost(parameters):
        w, b, c = parameters
        h = jax.nn.sigmoid(x @ w + b)
        logits = h @ w.T + c
        if loss == "squared_error":
            value = jnp.sum(jnp.square(jax.nn.sigmoid(logits) - x)) / batch
        else:
            value = jnp.sum(jax.nn.softplus(logits) - x * logits) / batch
        if contraction:
            slope = h * (1 - h)
            value += contraction * jnp.sum(
                jnp.mean(jnp.square(slope), 0) * jnp.sum(jnp.square(w), 0))
        return value

    @functools.partial(jax.jit, donate_argnums=0)
    def updated(parameters):
        value, gradients = jax.value_and_grad(cost)(parameters)
        return value, [p - RATE * g for p, g in zip(parameters, gradients)]

    state = [[0.03 * jax.random.normal(keys[1], (INPUTS, HIDDEN)), jnp.zeros(HIDDEN),
              jnp.zeros(INPUTS)]]

    def step():
        value, state[0] = updated(state[0])
        jax.block_until_ready((value, state[0]))

    return step


answer_all(make_step)
