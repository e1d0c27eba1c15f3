"""The ten models of Keras's guide to the functional API, with `keryx` in the place of `keras`.

`python examples/functional_guide.py` builds all of them at the guide's sizes, trains them for a moment on
random data and uses them. They learn noise; what they show is how a model is a graph of calls.
"""

from time import perf_counter

import numpy as np

import keryx
from keryx.layers import LSTM, Conv2D, Dense, Embedding, Flatten, Input, MaxPooling2D, TimeDistributed
from keryx.models import Model, Sequential

random = np.random.default_rng(0)


def dense(epochs=10):
    """A densely connected network."""
    # Input makes a symbolic tensor.
    inputs = Input(shape=(784,))

    # A layer is called on a tensor and gives a tensor.
    x = Dense(64, activation="relu")(inputs)
    x = Dense(64, activation="relu")(x)
    predictions = Dense(10, activation="softmax")(x)

    data = random.random((100, 784))
    labels = keryx.utils.to_categorical(random.integers(10, size=(100, 1)), num_classes=10)

    # The model is all that lies between the two: three Dense layers.
    model = Model(inputs=inputs, outputs=predictions)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(data, labels, epochs=epochs)
    return model, history


def model_as_layer(model):
    """A model is a layer: the call reuses its graph, and its weights too."""
    x = Input(shape=(784,))
    y = model(x)

    again = Model(x, y)
    data = random.random((4, 784))
    np.testing.assert_allclose(again.predict(data, verbose=0), model.predict(data, verbose=0), rtol=1e-5)
    return again


def every_step(model, epochs=3):
    """From a classifier of images to one of videos, in one line."""
    # 20 steps, each a vector of 784.
    input_sequences = Input(shape=(20, 784))

    # The model from above reads every step: 20 softmaxes of 10.
    processed_sequences = TimeDistributed(model)(input_sequences)

    # The model inside was compiled and trained before; what is reported here is the loss of this one.
    sequence_model = Model(input_sequences, processed_sequences)
    sequence_model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    data = random.random((64, 20, 784))
    labels = keryx.utils.to_categorical(random.integers(10, size=(64, 20)), num_classes=10)
    history = sequence_model.fit(data, labels, epochs=epochs)
    return sequence_model, history


def news(epochs=3, rows=64):
    """How often will a headline be passed on? Two inputs, two outputs."""
    # A headline is 100 words, each an integer between 1 and 10000. Any layer takes a name.
    main_input = Input(shape=(100,), dtype="int32", name="main_input")

    # Every word becomes a vector of 512,
    x = Embedding(output_dim=512, input_dim=10000, input_length=100)(main_input)

    # and the LSTM reads the vectors into a single one.
    lstm_out = LSTM(32)(x)

    # An early guess from the words alone trains LSTM and Embedding even while the main loss is large.
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)

    # Beside the words there are five more numbers, such as the hour.
    auxiliary_input = Input(shape=(5,), name="aux_input")
    x = keryx.layers.concatenate([lstm_out, auxiliary_input])

    # Deep dense layers on top,
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)

    # and the answer.
    main_output = Dense(1, activation="sigmoid", name="main_output")(x)

    model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])

    headline_data = random.integers(1, 10000, size=(rows, 100))
    additional_data = random.random((rows, 5))
    labels = random.integers(2, size=(rows, 1))

    # One loss serves both outputs; the early guess counts a fifth.
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", loss_weights=[1.0, 0.2])
    by_position = model.fit([headline_data, additional_data], [labels, labels], epochs=epochs, batch_size=32)

    # Inputs and outputs have names, so the same goes with dicts.
    model.compile(
        optimizer="rmsprop",
        loss={"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
        loss_weights={"main_output": 1.0, "aux_output": 0.2},
    )
    by_name = model.fit(
        {"main_input": headline_data, "aux_input": additional_data},
        {"main_output": labels, "aux_output": labels},
        epochs=epochs,
        batch_size=32,
    )
    return model, by_position, by_name


def tweets(epochs=5, rows=32):
    """Do two tweets come from the same person? One LSTM reads both."""
    # 140 characters, each one of 256.
    tweet_a = Input(shape=(140, 256))
    tweet_b = Input(shape=(140, 256))

    # To share a layer, make it once and call it often: the weights are the same.
    shared_lstm = LSTM(64)
    encoded_a = shared_lstm(tweet_a)
    encoded_b = shared_lstm(tweet_b)

    # Both vectors side by side, and a logistic regression on top.
    merged_vector = keryx.layers.concatenate([encoded_a, encoded_b], axis=-1)
    predictions = Dense(1, activation="sigmoid")(merged_vector)

    model = Model(inputs=[tweet_a, tweet_b], outputs=predictions)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics="accuracy")
    data_a = keryx.utils.to_categorical(random.integers(256, size=(rows, 140)), num_classes=256)
    data_b = keryx.utils.to_categorical(random.integers(256, size=(rows, 140)), num_classes=256)
    labels = random.integers(2, size=(rows, 1))
    history = model.fit([data_a, data_b], labels, epochs=epochs)
    return model, history


def inception(size=256, epochs=2):
    """Three towers over one image. Szegedy et al., Going deeper with convolutions, arXiv:1409.4842."""
    input_img = Input(shape=(size, size, 3))

    tower_1 = Conv2D(64, (1, 1), padding="same", activation="relu")(input_img)
    tower_1 = Conv2D(64, (3, 3), padding="same", activation="relu")(tower_1)

    tower_2 = Conv2D(64, (1, 1), padding="same", activation="relu")(input_img)
    tower_2 = Conv2D(64, (5, 5), padding="same", activation="relu")(tower_2)

    tower_3 = MaxPooling2D((3, 3), strides=(1, 1), padding="same")(input_img)
    tower_3 = Conv2D(64, (1, 1), padding="same", activation="relu")(tower_3)

    # Along the height, as the guide has it: (3 * size, size, 64).
    output = keryx.layers.concatenate([tower_1, tower_2, tower_3], axis=1)

    model = Model(input_img, output)
    model.compile(optimizer="rmsprop", loss="mse")
    history = model.fit(random.random((1, size, size, 3)), np.zeros((1, 3 * size, size, 64)), epochs=epochs)
    return model, history


def residual(size=256, epochs=3):
    """A convolution learns what to add to its input. He et al., Deep residual learning, arXiv:1512.03385."""
    # An image of three channels.
    x = Input(shape=(size, size, 3))
    # A 3x3 convolution with as many channels as came in,
    y = Conv2D(3, (3, 3), padding="same")(x)
    # and x + y.
    z = keryx.layers.add([x, y])

    model = Model(x, z)
    model.compile(optimizer="rmsprop", loss="mse")
    images = random.random((4, size, size, 3))
    history = model.fit(images, images, epochs=epochs)
    return model, history


def shared_vision(epochs=3, rows=32):
    """Do two images show the same digit? One vision model looks at both."""
    # First the vision model,
    digit_input = Input(shape=(27, 27, 1))
    x = Conv2D(64, (3, 3))(digit_input)
    x = Conv2D(64, (3, 3))(x)
    x = MaxPooling2D((2, 2))(x)
    out = Flatten()(x)

    vision_model = Model(digit_input, out)

    # then the model that tells digits apart.
    digit_a = Input(shape=(27, 27, 1))
    digit_b = Input(shape=(27, 27, 1))

    # The vision model is shared, weights and all.
    out_a = vision_model(digit_a)
    out_b = vision_model(digit_b)

    concatenated = keryx.layers.concatenate([out_a, out_b])
    out = Dense(1, activation="sigmoid")(concatenated)

    classification_model = Model([digit_a, digit_b], out)
    classification_model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    pairs = [random.random((rows, 27, 27, 1)) for _ in range(2)]
    history = classification_model.fit(pairs, random.integers(2, size=(rows, 1)), epochs=epochs)
    return classification_model, history


def visual_question_answering(size=224, epochs=1):
    """An image and a question give one word out of a thousand. At full size it has 160 million weights."""
    # A vision model turns an image into a vector.
    vision_model = Sequential()
    vision_model.add(Conv2D(64, (3, 3), activation="relu", padding="same", input_shape=(size, size, 3)))
    vision_model.add(Conv2D(64, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Conv2D(128, (3, 3), activation="relu", padding="same"))
    vision_model.add(Conv2D(128, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Conv2D(256, (3, 3), activation="relu", padding="same"))
    vision_model.add(Conv2D(256, (3, 3), activation="relu"))
    vision_model.add(Conv2D(256, (3, 3), activation="relu"))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Flatten())

    # The image as that vector:
    image_input = Input(shape=(size, size, 3))
    encoded_image = vision_model(image_input)

    # A language model turns a question into another: up to 100 words, each an integer from 1 to 9999.
    question_input = Input(shape=(100,), dtype="int32")
    embedded_question = Embedding(input_dim=10000, output_dim=256, input_length=100)(question_input)
    encoded_question = LSTM(256)(embedded_question)

    # Both vectors side by side, and a logistic regression over 1000 words on top.
    merged = keryx.layers.concatenate([encoded_question, encoded_image])
    output = Dense(1000, activation="softmax")(merged)

    vqa_model = Model(inputs=[image_input, question_input], outputs=output)

    vqa_model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    images, questions = random.random((1, size, size, 3)), random.integers(1, 10000, size=(1, 100))
    answers = keryx.utils.to_categorical(random.integers(1000, size=(1, 1)), num_classes=1000)
    history = vqa_model.fit([images, questions], answers, epochs=epochs)
    return vqa_model, history, (vision_model, question_input, encoded_question)


def video_question_answering(vision_model, question_input, encoded_question, frames=100, size=224):
    """The same for a video, from the parts of the last model: 'What sport is the boy playing?'"""
    video_input = Input(shape=(frames, size, size, 3))
    # The vision model encodes every frame (its weights are reused), and an LSTM the sequence of frames.
    encoded_frame_sequence = TimeDistributed(vision_model)(video_input)
    encoded_video = LSTM(256)(encoded_frame_sequence)

    # The part that reads questions becomes a model of its own, with the weights it has,
    question_encoder = Model(inputs=question_input, outputs=encoded_question)

    # and reads this question too.
    video_question_input = Input(shape=(100,), dtype="int32")
    encoded_video_question = question_encoder(video_question_input)

    merged = keryx.layers.concatenate([encoded_video, encoded_video_question])
    output = Dense(1000, activation="softmax")(merged)
    video_qa_model = Model(inputs=[video_input, video_question_input], outputs=output)

    clip = random.random((1, frames, size, size, 3), dtype="float32")
    answer = video_qa_model.predict([clip, random.integers(1, 10000, size=(1, 100))])
    return video_qa_model, answer


def timed(name, function, *args, **sizes):
    print(f"\n{name}")
    start = perf_counter()
    made = function(*args, **sizes)
    model = made[0] if isinstance(made, tuple) else made
    print(f"{model.count_params():,} weights, {perf_counter() - start:.1f} s")
    return made


def main():
    start = perf_counter()
    model, _ = timed("A dense network", dense)
    timed("A model called like a layer", model_as_layer, model)
    timed("A model for every step of a sequence", every_step, model)
    timed("Two inputs, two outputs", news)
    timed("A shared layer", tweets)
    timed("Inception", inception)
    timed("A residual connection", residual)
    timed("A shared vision model", shared_vision)
    *_, parts = timed("Visual question answering", visual_question_answering)
    timed("Video question answering", video_question_answering, *parts)
    print(f"\nTen models in {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
