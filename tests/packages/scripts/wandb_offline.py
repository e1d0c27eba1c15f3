"""Weights & Biases, offline: metrics by epoch and by batch, checkpoints as artifacts."""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true")

import numpy as np
import tensorflow as tf
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(1)])
model.compile(tf.keras.optimizers.Adam(0.03), "mse")
run = wandb.init(project="digits")
watching = [WandbMetricsLogger(log_freq=2), WandbMetricsLogger(), WandbModelCheckpoint("model-{epoch}.keras")]
history = model.fit(x, x[:, :1], batch_size=16, epochs=2, validation_split=0.25, callbacks=watching, verbose=0)
summary = {name: value for name, value in dict(run.summary).items() if name[0] != "_"}
graph = wandb.Graph.from_keras(model)
folder = run.dir
run.finish()
result = {
    "summary": summary,
    "history": history.history,
    "graph": [node.class_name for node in graph.nodes],
    "files": sorted(name for name in os.listdir() if name.endswith(".keras")),
    "run": any(name.endswith(".wandb") for name in os.listdir(os.path.dirname(folder))),
}
