"""BayesFlow: the mean of a normal distribution from eight draws of it, learned from simulations alone."""

import bayesflow as bf
import keras
import numpy as np

keras.utils.set_random_seed(1)
random = np.random.default_rng(1)
DRAWS, NOISE = 8, 0.5


def prior():
    return {"mean": random.normal(size=2)}


def draws(mean):
    return {"draws": mean + NOISE * random.normal(size=(DRAWS, 2))}


workflow = bf.BasicWorkflow(
    simulator=bf.make_simulator([prior, draws]),
    inference_variables="mean",
    summary_variables="draws",
    inference_network=bf.networks.CouplingFlow(depth=2, subnet_kwargs={"widths": (32,)}),
    summary_network=bf.networks.DeepSet(summary_dim=4, depth=1),
    initial_learning_rate=3e-3,
)
history = workflow.fit_online(epochs=4, num_batches_per_epoch=60, batch_size=64, validation_data=64, verbose=0)
tests = workflow.simulate(60)
samples = workflow.sample(conditions=tests, num_samples=200)["mean"]
# The posterior is known: its mean is that of the draws, drawn to 0, its variance 1 / (1 + DRAWS / NOISE**2).
precision = 1 + DRAWS / NOISE**2
posterior = tests["draws"].sum(axis=1) / NOISE**2 / precision
workflow.approximator.save("approximator.keras")
again = keras.saving.load_model("approximator.keras")
densities = [approximator.log_prob(tests) for approximator in (workflow.approximator, again)]
diagnostics = workflow.compute_default_diagnostics(test_data=tests, num_samples=100)
result = {
    "losses": history.history["loss"],
    "validation": history.history["val_loss"],
    "correlation": float(np.corrcoef(samples.mean(axis=1).ravel(), posterior.ravel())[0, 1]),
    "spread": float(samples.std(axis=1).mean()),
    "known spread": precision**-0.5,
    "densities": float(np.abs(densities[0] - densities[1]).max()),
    "diagnostics": diagnostics.index.tolist(),
}
