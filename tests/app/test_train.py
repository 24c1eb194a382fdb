"""``fleeting train``."""

import json

from fleeting.app.cli import main


def test_a_model_of_all_clips_is_used_on_another(small_set, tmp_path, capsys):
    out = tmp_path / "model"
    command = ["train", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=9,height=32,width=32"]
    assert main([*command, "--epochs", "1", "--out", str(out), "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": str(out / "model.safetensors")}
    assert main(["predict", str(small_set / "s01" / "c01"), "--model", str(out)]) == 0
