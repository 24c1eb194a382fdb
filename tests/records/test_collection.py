"""One collection of runs is told from another one by every field."""

import pytest

from fleeting.records import CollectionHead, RecordError, SweepHead


def test_heads_of_any_kind_come_back_as_they_went(tmp_path):
    study = CollectionHead(kind="study", name="irawan2023", sets={"smic": "smic:x"}, only=(), epochs=None)
    assert list(study.to_json()) == ["kind", "name", "sets", "only", "epochs"]
    assert CollectionHead.read(study.write(tmp_path / "collection.json")) == study
    sweep = SweepHead(kind="sweep", config={"model": "model_a"}, grids=({"model.dropout": [0.3, 0.5]},))
    assert SweepHead.read(sweep.write(tmp_path / "collection.json")) == sweep
    # Whoever only compares need not know the kind.
    assert not CollectionHead.read(tmp_path / "collection.json").differences(sweep)


def test_every_field_counts():
    here = CollectionHead(kind="study", name="a", epochs=1, seed=0)
    there = CollectionHead(kind="study", name="a", epochs=None, columns=["x"])
    assert here.differences(there) == {"columns": (None, ["x"]), "epochs": (1, None), "seed": (0, None)}
    assert not here.differences(here)


@pytest.mark.parametrize(
    ("content", "says"),
    [("{}", "kind: field required"), ('{"kind": 3}', "kind: "), ("[1]", "holds list"), ("", "is not JSON")],
)
def test_a_damaged_head_is_named(tmp_path, content, says):
    (tmp_path / "collection.json").write_text(content)
    with pytest.raises(RecordError, match=rf"collection\.json: {says}.*; choose another --out"):
        CollectionHead.read(tmp_path / "collection.json")
