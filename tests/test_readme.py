"""What the README says of the code is what the code says."""

import inspect
import re
from pathlib import Path

import keryx
from keryx.training import step

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_train_step_is_quoted_as_it_stands():
    (quoted,) = re.findall(r"<!-- train_step -->\n```python\n(.*?)```\n", README, re.DOTALL)
    assert quoted == inspect.getsource(step.train_step)


def test_every_name_of_keryx_that_it_tells_exists():
    for path in set(re.findall(r"keryx((?:\.\w+)+)\(", README)):
        thing = keryx
        for name in path.strip(".").split("."):
            thing = getattr(thing, name)
