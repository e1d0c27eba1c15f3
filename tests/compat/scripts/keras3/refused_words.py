# The words of older ages are not taken; the errors name today's.
import keras

for make, told in [
    (lambda: keras.layers.Dense(output_dim=3), "units"),
    (lambda: keras.layers.LSTM(3, inner_activation="sigmoid"), "recurrent_activation"),
    (lambda: keras.optimizers.Adam(lr=0.1), "learning_rate"),
    (lambda: keras.layers.Convolution2D(8, 3, 3), "kernel_size"),
    (lambda: keras.layers.merge([]), "concatenate"),
    (lambda: keras.Model(input=1, output=2), "inputs"),
]:
    try:
        make()
    except (ValueError, TypeError) as error:
        assert told in str(error), error
    else:
        raise AssertionError(told)
