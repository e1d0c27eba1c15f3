# ImageDataGenerator, and fit_generator that counts samples.
import numpy as np
np.random.seed(2)
from keras.models import Sequential
from keras.layers import Convolution2D, Flatten, Dense
from keras.preprocessing.image import ImageDataGenerator

X = np.random.rand(30, 8, 8, 3)
Y = (X[..., 0].mean((1, 2)) > 0.5).astype(int)
datagen = ImageDataGenerator(featurewise_center=True, rotation_range=20, width_shift_range=0.1,
                             height_shift_range=0.1, shear_range=0.2, zoom_range=0.2, horizontal_flip=True,
                             fill_mode='nearest', dim_ordering='tf')
datagen.fit(X)
batches = datagen.flow(X, Y, batch_size=8)
assert batches.next()[0].shape == (8, 8, 8, 3)

model = Sequential([Convolution2D(2, 3, 3, subsample=(2, 2), activation='relu', input_shape=(8, 8, 3)), Flatten(),
                    Dense(1, activation='sigmoid')])
model.compile('sgd', 'binary_crossentropy', ['accuracy'])
hist = model.fit_generator(datagen.flow(X, Y, batch_size=8), samples_per_epoch=len(X), nb_epoch=2,
                           validation_data=datagen.flow(X, Y, batch_size=10), nb_val_samples=20, verbose=0)
assert len(hist.history['val_acc']) == 2


def batches_of_images():
    while True:
        yield X[:6], Y[:6]


assert model.evaluate_generator(batches_of_images(), val_samples=12)[0] > 0
assert model.predict_generator(datagen.flow(X, batch_size=6, shuffle=False), val_samples=12).shape == (12, 1)
