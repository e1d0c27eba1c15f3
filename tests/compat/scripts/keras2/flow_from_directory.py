# Images from folders, as for cats and dogs.
import os
import tempfile
import numpy as np
np.random.seed(0)
from keras.preprocessing.image import ImageDataGenerator, array_to_img, img_to_array, load_img
from keras import layers, models, optimizers

base = tempfile.mkdtemp()
for i, name in enumerate(['cats', 'dogs']):
    os.makedirs(os.path.join(base, name))
    for j in range(6):
        image = np.full((8, 8, 3), 60 + 120 * i, 'uint8') + np.random.randint(0, 20, (8, 8, 3)).astype('uint8')
        array_to_img(image, scale=False).save(os.path.join(base, name, '%d.png' % j))
train_datagen = ImageDataGenerator(rescale=1. / 255, horizontal_flip=True,
                                   validation_split=0.34)
train_generator = train_datagen.flow_from_directory(base, target_size=(6, 6), batch_size=4, class_mode='binary',
                                                    subset='training', seed=1)
validation_generator = train_datagen.flow_from_directory(base, target_size=(6, 6), batch_size=4, class_mode='binary',
                                                         subset='validation', shuffle=False)
assert train_generator.class_indices == {'cats': 0, 'dogs': 1}
assert train_generator.samples == 8 and validation_generator.samples == 4
model = models.Sequential()
model.add(layers.Conv2D(2, (3, 3), activation='tanh', input_shape=(6, 6, 3)))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer=optimizers.RMSprop(lr=0.01), metrics=['acc'])
history = model.fit_generator(train_generator, steps_per_epoch=4, epochs=8, verbose=0,
                              validation_data=validation_generator, validation_steps=1)
assert history.history['loss'][-1] < history.history['loss'][0]
assert model.predict_generator(validation_generator, steps=1).shape == (4, 1)
x = img_to_array(load_img(os.path.join(base, 'cats', '0.png'), target_size=(6, 6)))
assert x.shape == (6, 6, 3)
