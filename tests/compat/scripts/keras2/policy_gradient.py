# A training function of one's own: optimizer.get_updates and K.function.
import numpy as np
np.random.seed(0)
from keras import backend as K
from keras.layers import Dense, Input
from keras.models import Model
from keras.optimizers import Adam

x = Input(shape=(3,))
probabilities = Dense(2, activation='softmax')(x)
actor = Model(inputs=x, outputs=probabilities)
action = K.placeholder(shape=[None, 2])
advantages = K.placeholder(shape=[None, ])
good_prob = K.sum(action * actor.output, axis=1)
eligibility = K.log(good_prob + 1e-10) * advantages
loss = -K.sum(eligibility)
optimizer = Adam(lr=0.05)
updates = optimizer.get_updates(params=actor.trainable_weights, loss=loss)
train = K.function([actor.input, action, advantages], [loss], updates=updates)

states = np.random.rand(12, 3)
actions = np.eye(2)[np.ones(12, int)]
first = train([states, actions, np.ones(12)])[0]
for i in range(15):
    last = train([states, actions, np.ones(12)])[0]
assert last < first
assert actor.predict(states)[:, 1].mean() > 0.5
