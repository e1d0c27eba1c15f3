"""A notebook of the guide's kind under `%load_ext keryx`: its cells run in order, each with its own output."""

import re
import warnings
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="pip install 'keryx[test]'")
nbclient = pytest.importorskip("nbclient", reason="pip install 'keryx[test]'")
pytest.importorskip("ipykernel", reason="pip install 'keryx[test]'")

ROOT = Path(__file__).parents[2]

CELLS = {
    "load": "%load_ext keryx",
    "build": """
from keras.layers import Input,Dense
from keras.models import Model

inputs=Input(shape=(784,))
x=Dense(64,activation='relu')(inputs)
x=Dense(64,activation='relu')(x)
predictions=Dense(10,activation='softmax')(x)
""",
    "fit": """
import numpy as np
import keras
data = np.random.random((100, 784))
labels = keras.utils.to_categorical(np.random.randint(10, size=(100, 1)), num_classes=10)

model=Model(inputs=inputs,outputs=predictions)
model.compile(optimizer='rmsprop',loss='categorical_crossentropy',metrics=['accuracy'])
model.fit(data,labels,epochs=3)
""",
    "call": """
from keras.layers import Input,Dense
x=Input(shape=(784,))
y=model(x)
y.shape
""",
    "every step": """
from keras.layers import TimeDistributed
input_sequences=Input(shape=(20,784))
processed_sequences=TimeDistributed(model)(input_sequences)
Model(input_sequences, processed_sequences).output_shape
""",
    "two outputs": """
from keras.layers import Embedding,LSTM
main_input=Input(shape=(100,),dtype='int32',name='main_input')
x=Embedding(output_dim=16,input_dim=10000,input_length=100)(main_input)
lstm_out=LSTM(8)(x)
auxiliary_output=Dense(1,activation='sigmoid',name='aux_output')(lstm_out)
auxiliary_input=Input(shape=(5,),name='aux_input')
x=keras.layers.concatenate([lstm_out,auxiliary_input])
x=Dense(64,activation='relu')(x)
main_output=Dense(1,activation='sigmoid',name='main_output')(x)
model=Model(inputs=[main_input,auxiliary_input],outputs=[main_output,auxiliary_output])
model.compile(optimizer='rmsprop',loss='binary_crossentropy',loss_weights=[1.0,.2])
headline_data=np.random.randint(1, 10000, size=(32, 100))
additional_data=np.random.random((32, 5))
labels=np.random.randint(2, size=(32, 1))
history=model.fit([headline_data,additional_data],[labels,labels],epochs=2,batch_size=32)
""",
    "summary": "model.summary()",
    "wrong": "model.fit([headline_data,additional_data],[labels,labels],epoch=50,batch_size=32)",
    "last": "history",
}


@pytest.fixture(scope="module")
def outputs():
    """By the name of a cell, what stands below it, one text a kind."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.strip()) for code in CELLS.values()])
    notebook.cells[list(CELLS).index("wrong")].metadata["tags"] = ["raises-exception"]
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(ROOT))
    patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Jupyter's own parts
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    patch.undo()
    found = {}
    for name, cell in zip(CELLS, notebook.cells, strict=True):
        kinds = found.setdefault(name, {})
        for output in cell.outputs:
            kind = output.get("name", output.output_type)
            text = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
            kinds[kind] = kinds.get(kind, "") + text
    assert [cell.execution_count for cell in notebook.cells] == list(range(1, len(CELLS) + 1))
    return found


def test_what_only_builds_shows_nothing(outputs):
    assert outputs["load"] == outputs["build"] == {}


def test_training_is_shown_below_its_own_cell(outputs):
    shown = outputs["fit"]
    assert re.findall(r"Epoch (\d)/3", shown["display_data"]) == ["1", "2", "3"]
    assert "accuracy" in shown["display_data"]
    assert "History" in shown["execute_result"]
    assert re.findall(r"Epoch (\d)/2", outputs["two outputs"]["display_data"]) == ["1", "2"]
    assert set(outputs["two outputs"]) == {"display_data"}


def test_the_last_value_of_a_cell_is_shown(outputs):
    assert outputs["call"] == {"execute_result": "(None, 10)"}
    assert outputs["every step"] == {"execute_result": "(None, 20, 10)"}
    assert "History" in outputs["last"]["execute_result"]


def test_a_summary_and_an_error_are_readable(outputs):
    assert "main_output" in str(outputs["summary"])
    assert "fit() has no argument 'epoch'. Did you mean 'epochs'?" in outputs["wrong"]["error"]
