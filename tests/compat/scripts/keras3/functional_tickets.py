import keras
import numpy as np
from keras import layers

title = keras.Input(shape=(None,), name="title")
body = keras.Input(shape=(None,), name="body")
tags = keras.Input(shape=(3,), name="tags")
a = layers.Embedding(20, 4)(title)
b = layers.Embedding(20, 4)(body)
x = layers.concatenate([layers.GlobalAveragePooling1D()(a), layers.GlobalMaxPooling1D()(b), tags])
priority = layers.Dense(1, name="priority")(x)
department = layers.Dense(4, name="department")(x)
model = keras.Model(inputs=[title, body, tags], outputs={"priority": priority, "department": department})
data = {"title": np.random.randint(20, size=(6, 5)), "body": np.random.randint(20, size=(6, 7)), "tags": np.zeros((6, 3))}
out = model.predict(data, verbose=0)
assert out["priority"].shape == (6, 1) and out["department"].shape == (6, 4)
