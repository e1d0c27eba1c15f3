import jax
import keras
import numpy as np


class CustomModel(keras.Model):
    def train_step(self, state, data):
        trainable, non_trainable, optimizer_variables, metrics_variables = state
        x, y = data
        grad_fn = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, (loss, y_pred, non_trainable, metrics_variables)), grads = grad_fn(
            trainable, non_trainable, metrics_variables, x, y, None, training=True,
            optimizer_variables=optimizer_variables,
        )
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
        return {"loss": loss}, (trainable, non_trainable, optimizer_variables, metrics_variables)


inputs = keras.Input((3,))
model = CustomModel(inputs, keras.layers.Dense(1)(inputs))
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
x = np.random.rand(16, 3)
first = model.fit(x, x.sum(1, keepdims=True), epochs=1, verbose=0).history["loss"][0]
assert model.fit(x, x.sum(1, keepdims=True), epochs=5, verbose=0).history["loss"][-1] < first
