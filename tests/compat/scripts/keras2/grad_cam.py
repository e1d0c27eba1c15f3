# Where a convolution looks: gradients of a class in the last feature map.
import numpy as np
np.random.seed(0)
from keras import backend as K
from keras.models import Model
from keras.layers import Input, Conv2D, Flatten, Dense

inp = Input((6, 6, 1))
conv = Conv2D(3, (3, 3), activation='sigmoid', name='conv_last')(inp)
model = Model(inp, Dense(2, activation='softmax')(Flatten()(conv)))
x = np.random.rand(1, 6, 6, 1).astype('float32')
class_output = model.output[:, np.argmax(model.predict(x)[0])]
last_conv_layer = model.get_layer('conv_last')
grads = K.gradients(class_output, last_conv_layer.output)[0]
pooled_grads = K.mean(grads, axis=(0, 1, 2))
iterate = K.function([model.input], [pooled_grads, last_conv_layer.output[0]])
pooled_grads_value, conv_layer_output_value = iterate([x])
assert pooled_grads_value.shape == (3,) and conv_layer_output_value.shape == (4, 4, 3)

# gradient ascent in the input
loss = K.mean(model.get_layer('conv_last').output[:, :, :, 0])
grads = K.gradients(loss, model.input)[0]
grads /= (K.sqrt(K.mean(K.square(grads))) + 1e-5)
step = K.function([model.input], [loss, grads])
first = step([x])[0]
for i in range(5):
    loss_value, grads_value = step([x])
    x += grads_value * 0.5
assert step([x])[0] > first
