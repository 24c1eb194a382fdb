"""``fleeting models``."""

import json

from fleeting.app.cli import main


def test_the_zoo_is_listed(capsys):
    assert main(["models", "--json"]) == 0
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)}
    assert {"model_a", "model_b", "modified_micro_exp_stcnn"} <= set(listed)
    assert listed["model_a"]["training"]["batch_size"] == 4


def test_a_wildcard_chooses(capsys):
    assert main(["models", "model_?"]) == 0
    text = capsys.readouterr().out
    assert "model_a" in text and "split_model" not in text
    assert main(["models", "nobody*"]) == 0
    assert "no model matches 'nobody*'" in capsys.readouterr().out
