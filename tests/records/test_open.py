"""Records of which a part belongs to other rooms."""

import pytest

from fleeting.records import ModelPart, OpenRecord, ProtocolPart, RunHead


def test_what_was_given_is_written_in_its_order_and_nothing_else():
    part = ProtocolPart(name="loso", seed=3, label="emotion", subject_independent=True, steps=(1, 2))
    expected = {"name": "loso", "seed": 3, "label": "emotion", "subject_independent": True, "steps": [1, 2]}
    assert list(part.to_json().items()) == list(expected.items())
    assert ProtocolPart.parse(part.to_json(), "run.json") == part
    later = part.model_copy(update={"noun": "split"})
    assert list(later.to_json()) == [*expected, "noun"]


def test_parts_keep_their_order_inside_another_record():
    head = RunHead(config={"model": {"n_parameters": 3, "name": "a", "options": {"b": None}}})
    assert list(head.to_json()["config"]["model"]) == ["n_parameters", "name", "options"]
    assert head.config.model == ModelPart(n_parameters=3, name="a", options={"b": None})


def test_a_record_that_was_a_dictionary_still_answers_to_brackets_and_warns():
    head = RunHead(classes=("a", "b"))
    with pytest.warns(FutureWarning, match=r"write \.classes"):
        assert head["classes"] == ["a", "b"]
    with pytest.warns(FutureWarning), pytest.raises(KeyError):
        OpenRecord()["absent"]
