"""What every data set offers."""

import pytest
from asked import by_name

from fleeting.datasets import (
    Casme2,
    Dataset,
)


def test_the_old_name_of_the_method_works_for_one_release(tmp_path):
    with pytest.warns(FutureWarning, match=r"Old\._read\(\) is now Old\.read_clips\(\)"):

        class Old(Dataset):
            name = "old"

            def _read(self):
                return [], []

    assert Old(tmp_path).clips() == [] and Old(tmp_path).problems == []


def test_a_clip_can_be_drawn(casme2):
    d = Casme2(casme2)
    figure = d.plot(by_name(d)["EP02_01f"])
    assert [axis.get_title().split("\n")[0] for axis in figure.axes] == ["first, onset", "apex", "offset, last"]
