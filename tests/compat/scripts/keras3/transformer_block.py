import keras
import numpy as np
from keras import layers


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout = layers.Dropout(rate)

    def call(self, inputs, training=False):
        out1 = self.layernorm1(inputs + self.dropout(self.att(inputs, inputs), training=training))
        return self.layernorm2(out1 + self.ffn(out1))


inputs = layers.Input(shape=(5,))
x = TransformerBlock(8, 2, 8)(layers.Embedding(11, 8)(inputs))
model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
assert model.predict(np.random.randint(0, 11, (2, 5)), verbose=0).shape == (2, 2)
