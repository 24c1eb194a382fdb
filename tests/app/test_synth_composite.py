"""``fleeting synth-composite``; what it writes is tested with the composite."""

import json

from fleeting.app.cli import main


def test_the_folder_may_be_given_by_name(tmp_path, capsys):
    out = tmp_path / "composite"
    assert main(["synth-composite", "--out", str(out), "--scale", "0.01", "--jobs", "1", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["folder"] == str(out) and made["n_clips"] == len(list(out.rglob("*.png")))
    assert sum(row["count"] for row in made["counts"]) == made["n_clips"]
