"""Heads of synthetic sets, and entries of the cache of sequences."""

import json

import pytest

from fleeting.records import CachedSequence, CacheManifest, RecordError, RecordingsHead, SyntheticHead


def test_heads_come_back_as_they_were_written(tmp_path):
    head = SyntheticHead(
        format=1, caution="Nobody.", generator=2, complete=True, parameters={"layout": "plain", "seed": 3}
    )
    path = head.write(tmp_path / "synthetic.json")
    assert SyntheticHead.read(path) == head
    assert list(json.loads(path.read_text())) == ["format", "caution", "generator", "complete", "parameters"]
    assert head.layout == "plain"


def test_changes_name_what_differs():
    head = RecordingsHead(generator=1, parameters={"seed": 3, "form": "mp4"})
    assert head.changes({"seed": 3, "form": "mp4"}, 1) == {}
    assert head.changes({"seed": 4, "size": 9}, 2) == {
        "seed": (3, 4),
        "form": ("mp4", None),
        "generator": (1, 2),
        "size": (None, 9),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "expected named fields"),
        ("{}", "parameters"),
        ('{"parameters": {"seed": 1}}', "layout"),
        ('{"parameters": {"layout": 3}}', "layout"),
        ('{"parameters": ' + "[" * 100_000, "nested"),
        ('{"parameters": {"layout": "plain"}, "complete": "perhaps"}', "complete"),
    ],
)
def test_a_damaged_head_is_refused_in_words(tmp_path, text, said):
    path = tmp_path / "synthetic.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=said) as caught:
        SyntheticHead.read(path)
    assert "synthetic.json" in str(caught.value)


def test_an_entry_is_whole_with_its_own_sequence_only():
    entry = CachedSequence(status="ok", clip="d/s/c", bytes=9, apex=3, notes=["a"], window=[1, 2]).seal("abc")
    assert entry.is_whole("abc") and not entry.is_whole("abd")
    changed = CachedSequence.parse({**entry.to_json(), "apex": 4}, "x.json")
    assert not changed.is_whole("abc")
    assert "digest" not in entry.facts() and entry.facts()["window"] == [1, 2]
    assert not CachedSequence(status="ok", bytes=9).is_whole("abc")


def test_an_entry_says_enough(tmp_path):
    for value in ({"status": "skipped"}, {"status": "ok"}, {"status": "perhaps", "reason": "x"}, {}):
        with pytest.raises(RecordError, match="delete it"):
            CachedSequence.parse(value, "x.json")
    entry = CachedSequence(status="skipped", reason="no face")
    manifest = CacheManifest(recipe={"name": "r"}, clips={"k": entry})
    assert CacheManifest.read(manifest.write(tmp_path / "manifest.json")) == manifest
