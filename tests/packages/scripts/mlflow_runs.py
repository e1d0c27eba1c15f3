"""MLflow: runs that log themselves, models that are stored, and found again as models and as functions."""

import keras
import mlflow
import numpy as np
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes

mlflow.set_tracking_uri("sqlite:///runs.db")
x, y = load_diabetes(return_X_y=True)
x, y = x.astype("float32"), ((y - y.mean()) / y.std()).astype("float32")
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])

mlflow.keras.autolog()
history = model.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[], verbose=0)
mlflow.keras.autolog(disable=True)
run = mlflow.last_active_run()
loaded = mlflow.keras.load_model(f"runs:/{run.info.run_id}/model")
function = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
predicted = model.predict(x, verbose=0)

none = {"pip_requirements": []}  # else each is loaded once more in a process of its own, to see what it imports
with mlflow.start_run():
    model.fit(
        x, y, epochs=2, verbose=0, callbacks=[mlflow.keras.MlflowCallback(log_every_epoch=False, log_every_n_steps=5)]
    )
    logged = mlflow.keras.log_model(model, name="net", signature=infer_signature(x, predicted), **none)
    steps = mlflow.active_run().info.run_id
trained = model.predict(x, verbose=0)
mlflow.keras.save_model(model, "folder", signature=infer_signature(x, predicted), **none)
client = mlflow.MlflowClient()
told = ("epochs", "optimizer_name", "optimizer_learning_rate")
result = {
    "losses": [m.value for m in sorted(client.get_metric_history(run.info.run_id, "loss"), key=lambda m: m.step)],
    "expected": history.history["loss"],
    "metrics": sorted(run.data.metrics),
    "parameters": {name: run.data.params[name] for name in told},
    "artifacts": [file.path for file in client.list_artifacts(run.info.run_id)],
    "logged steps": len(client.get_metric_history(steps, "loss")),
    "summary": "Total params" in mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt"),
    "distances": [
        float(np.abs(loaded.predict(x, verbose=0) - predicted).max()),
        float(np.abs(function.predict(x) - predicted).max()),
        float(np.abs(mlflow.keras.load_model(logged.model_uri).predict(x, verbose=0) - trained).max()),
        float(np.abs(mlflow.keras.load_model("folder").predict(x, verbose=0) - trained).max()),
    ],
    "goes on": loaded.fit(x, y, epochs=1, verbose=0).history["loss"][0],
}
