# Attention over time as a layer of one's own, that knows of masks.
import numpy as np
from keras import backend as K
from keras.engine.topology import Layer
from keras.layers import Input, Embedding, Dense
from keras.models import Model


class AttentionWithContext(Layer):
    def __init__(self, **kwargs):
        self.supports_masking = True
        super(AttentionWithContext, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight((input_shape[-1], input_shape[-1]), initializer='glorot_uniform', name='W')
        self.u = self.add_weight((input_shape[-1],), initializer='glorot_uniform', name='u')
        super(AttentionWithContext, self).build(input_shape)

    def compute_mask(self, input, input_mask=None):
        return None

    def call(self, x, mask=None):
        uit = K.tanh(K.dot(x, self.W))
        ait = K.squeeze(K.dot(uit, K.expand_dims(self.u)), axis=-1)
        a = K.exp(ait)
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        return K.sum(x * K.expand_dims(a), axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


inputs = Input((5,), dtype='int32')
embedded = Embedding(9, 4, mask_zero=True)(inputs)
model = Model(inputs, AttentionWithContext()(embedded))
short = model.predict(np.array([[1, 2, 0, 0, 0]]))
assert np.allclose(short, Model(inputs, AttentionWithContext(weights=model.get_weights()[1:])(embedded)).predict(
    np.array([[1, 2, 0, 0, 0]])), atol=1e-6)
assert not np.allclose(short, model.predict(np.array([[1, 2, 3, 0, 0]])))
