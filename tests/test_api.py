"""Keras's public names, each here with a signature that takes the same calls, or on the list of what comes later."""

import api_coverage


def test_every_public_name_of_keras_is_here_or_on_the_list():
    rows = {f"{path}.{name}": why for path, names in api_coverage.walk().items() for name, why in names.items()}
    assert len(rows) == 1565
    assert {name: why for name, why in rows.items() if why and not why.startswith("later")} == {}
    assert sum(why is None for why in rows.values()) == 1523
