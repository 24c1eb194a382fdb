"""``fleeting flow-folder``; what it writes is tested with the recipe."""

import json

from fleeting.app.cli import main


def test_the_folder_may_be_given_by_name(small_set, tmp_path, capsys):
    out = tmp_path / "flow"
    assert main(["flow-folder", "--out", str(out), "--data", f"synthetic:{small_set}", "--jobs", "1", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["folder"], made["n_clips"], made["skipped"]) == (str(out), 18, [])
    assert len(list(out.rglob("*.png"))) == 18
