"""Files and modules of a user's own: found by every process, and errors that say where."""

import os
import pickle
import subprocess
import sys

import pytest

from fleeting import plugins
from fleeting.app.cli import main
from fleeting.errors import PluginError, UsageError
from fleeting.parallel import map_jobs
from fleeting.plugins import VARIABLE, load_announced, load_plugin, source_digest
from fleeting.sequences import Recipe, create_recipe, list_recipes

RECIPE = """
from typing import Literal
import numpy as np
from fleeting.sequences import BuiltSequence, Recipe, register_recipe


@register_recipe("{name}")
class Flat(Recipe):
    name: Literal["{name}"] = "{name}"
    level: int = 7

    def build(self, clip, detector=None):
        return BuiltSequence(np.full(self.stored_shape, self.level, np.uint8))
"""


pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def recipe_file(tmp_path):
    """A plugin file that registers a recipe of a name that no other test uses."""

    def write(name, folder="plug ins ü"):
        path = tmp_path / folder / "my-recipe.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RECIPE.format(name=name), encoding="utf-8")
        return path

    return write


def _level(recipe):
    return recipe.level, type(recipe).__module__, os.getpid()


def _create(name):
    return create_recipe(name).level, os.getpid()


def test_a_file_is_loaded_once_and_announced(recipe_file, monkeypatch):
    path = recipe_file("once")
    module = load_plugin(path)
    assert "once" in list_recipes()
    monkeypatch.chdir(path.parent)
    assert load_plugin("my-recipe.py") is module  # however it is spelled
    assert os.environ[VARIABLE] == str(path.resolve())
    load_announced()


def test_the_registries_look_into_the_variable_before_a_name_is_unknown(recipe_file, monkeypatch):
    one, two = recipe_file("early", "a"), recipe_file("late", "b")
    with pytest.raises(UsageError, match="unknown recipe 'late'"):
        create_recipe("late")
    monkeypatch.setenv(VARIABLE, os.pathsep.join(["", str(one), str(two)]))
    assert create_recipe("late", level=3).level == 3
    assert {"early", "late"} <= set(list_recipes())


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_know_it_by_name_and_by_its_objects(recipe_file, jobs):
    name = f"worker{jobs}"
    load_plugin(recipe_file(name))
    assert {r[:1] for _, r in map_jobs(_create, [name] * 3, jobs=jobs)} == {(7,)}
    found = [r for _, r in map_jobs(_level, [create_recipe(name, level=k) for k in range(3)], jobs=jobs)]
    assert sorted(level for level, *_ in found) == [0, 1, 2]
    if jobs > 1:
        assert os.getpid() not in {pid for *_, pid in found}
        assert len({module for _, module, _ in found}) == 1


def test_a_module_by_its_dotted_name(tmp_path, monkeypatch):
    (tmp_path / "lab_tools").mkdir()
    (tmp_path / "lab_tools" / "__init__.py").write_text("")
    (tmp_path / "lab_tools" / "flat.py").write_text(RECIPE.format(name="dotted"))
    monkeypatch.syspath_prepend(tmp_path)
    load_plugin("lab_tools.flat")
    assert os.environ[VARIABLE] == "lab_tools.flat"
    assert create_recipe("dotted").level == 7
    with pytest.raises(PluginError, match="no such file and no such module"):
        load_plugin("lab_tools.sharp")


def test_two_files_of_one_name_and_one_named_like_a_library(recipe_file, tmp_path):
    load_plugin(recipe_file("first_of_two", "x"))
    load_plugin(recipe_file("second_of_two", "y"))
    library = tmp_path / "json.py"
    library.write_text(RECIPE.format(name="shadow"))
    load_plugin(library)
    assert {"first_of_two", "second_of_two", "shadow"} <= set(list_recipes())
    assert sys.modules["json"].__file__ != str(library)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = (\n", r"a syntax error, line 1"),
        ("\nimport no_such_library_at_all\n", r"it failed, line 2: ModuleNotFoundError: .*no_such_library_at_all"),
        ("def f():\n    1 / 0\n\nf()\n", r"it failed, line 2: ZeroDivisionError"),
        ("import sys\nsys.exit('bye')\n", r"it failed, line 2: SystemExit: bye"),
        (RECIPE.format(name="talluri2022"), r"a recipe named 'talluri2022' is registered already .*raised, line 7"),
        (
            "from fleeting.models import register_model\n\n"
            "@register_model('model_a', paper='none', training={})\ndef f(shape):\n    pass\n",
            r"a model named 'model_a' is registered already.*choose another name",
        ),
        (
            "from fleeting.datasets import Folder, register_dataset\nregister_dataset('folder')(Folder)\n",
            r"kind of data set named 'folder' is registered already .*line 2",
        ),
        (
            "from fleeting.models import register_model\n\n"
            "@register_model('own', paper='none', training={})\ndef f(shape, *, width=3):\n    pass\n",
            r"model 'own': an option cannot be called 'width'",
        ),
        ("\x00", r"null bytes"),
    ],
)
def test_a_file_that_fails_says_where(tmp_path, code, message):
    path = tmp_path / "bad.py"
    path.write_text(code)
    for _ in range(2):  # and fails again when asked again
        with pytest.raises(PluginError, match=message) as caught:
            load_plugin(path)
        assert str(path) in str(caught.value)
    assert os.environ[VARIABLE] == ""
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_a_failing_file_in_the_variable_is_not_hidden(tmp_path, monkeypatch):
    path = tmp_path / "bad.py"
    path.write_text("1 / 0")
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        create_recipe("nobody")


def test_what_is_no_file_of_code(tmp_path):
    with pytest.raises(PluginError, match="no such file"):
        load_plugin(tmp_path / "gone.py")
    with pytest.raises(PluginError, match="a folder"):
        load_plugin(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(PluginError, match=r"a \.txt file"):
        load_plugin(tmp_path / "notes.txt")
    if os.pathsep == ":":
        (tmp_path / "a:b.py").write_text("")
        with pytest.raises(PluginError, match="rename"):
            load_plugin(tmp_path / "a:b.py")


def test_a_plugin_may_ask_the_registries_while_it_loads(tmp_path, monkeypatch):
    path = tmp_path / "curious.py"
    path.write_text("from fleeting.sequences import list_recipes\nKNOWN = list_recipes()\n")
    monkeypatch.setenv(VARIABLE, str(path))
    assert "talluri2022" in list_recipes()
    assert load_plugin(path).KNOWN


def test_changed_code_of_a_recipe_never_meets_an_old_sequence(recipe_file):
    path = recipe_file("dated")
    load_plugin(path)
    recipe = create_recipe("dated")
    before = recipe.content_hash()
    assert before == create_recipe("dated").content_hash()
    path.write_text(path.read_text(encoding="utf-8") + "\n# another thought\n", encoding="utf-8")
    assert recipe.content_hash() != before
    assert source_digest(Recipe) is None
    assert source_digest(type("Anonymous", (), {"__module__": "gone"})) is None


def test_the_command_line_loads_it_for_itself_and_its_workers(recipe_file, small_set, tmp_path):
    path = recipe_file("shell")
    command = [
        sys.executable,
        "-m",
        "fleeting",
        "--plugin",
        str(path),
        "preprocess",
        "--data",
        f"synthetic:{small_set}",
    ]
    what = ["--recipe", "shell,frames=3,height=8,width=8", "--jobs", "2", "--cache", str(tmp_path / "cache"), "--quiet"]
    env = {k: v for k, v in os.environ.items() if k != VARIABLE}
    done = subprocess.run([*command, *what], capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "18 sequences" in done.stdout


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["models", "--plugin", "gone.py"], "plugin gone.py: no such file"),
        (["--plugin=gone.py", "models"], "plugin gone.py: no such file"),
        (["models", "--plugin"], "--plugin needs a file"),
    ],
)
def test_the_command_line_says_what_is_wrong(tokens, message, capsys):
    assert main(tokens) == 2
    assert message in capsys.readouterr().err
    assert plugins.VARIABLE == "FLEETING_PLUGINS"


MODEL = """
from torch import nn
from fleeting.models import register_model


@register_model("{name}", paper="none", training={{"epochs": 2}})
class Small(nn.Module):
    '''A small network.'''

    def __init__(self, shape, *, hidden: int = 4):
        super().__init__()
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool3d((2, 4, 4)), nn.Flatten(), nn.Linear(shape.in_channels * 32, hidden), nn.Tanh(),
            nn.Linear(hidden, shape.n_classes),
        )

    def forward(self, x):
        return self.body(x)
"""


def test_a_network_of_plain_layers_has_the_same_weights_for_the_same_seed(tmp_path):
    import torch

    from fleeting.models import create_model, model_info

    path = tmp_path / "net.py"
    path.write_text(MODEL.format(name="plain_layers"))
    load_plugin(path)
    state = torch.random.get_rng_state()
    one, two, other = (create_model("plain_layers", seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["body.2.weight"], other["body.2.weight"])
    assert torch.equal(state, torch.random.get_rng_state())
    assert model_info("plain_layers").source == source_digest(sys.modules[load_plugin(path).__name__].Small)
    assert model_info("model_a").source is None


def test_a_run_of_an_own_network_in_workers_and_not_mixed_with_changed_code(small_set, tmp_path, capsys):
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(name="own_net"))
    what = ["--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=9,height=32,width=32"]
    how = ["--protocol", "subject-kfold,folds=2", "--quiet", "--out", str(tmp_path / "run")]
    own = ["evaluate", "--plugin", str(path), "--model", "own_net,hidden=3", "--cache", str(tmp_path / "cache")]
    env = {k: v for k, v in os.environ.items() if k != VARIABLE}
    command = [sys.executable, "-m", "fleeting", *own, *what, *how, "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()
    path.write_text(path.read_text().replace("Tanh", "ReLU"))
    assert main([*own, *what, *how, "--jobs", "1"]) == 2
    assert "holds another run (config.model.source" in capsys.readouterr().err
