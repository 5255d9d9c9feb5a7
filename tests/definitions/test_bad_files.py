"""Every folder of testdata/bad spoils the small project in one way; expected.txt holds the exact messages."""

import shutil
from pathlib import Path

import pytest

from riskwatch.definitions import check, load_definitions
from riskwatch.errors import DefinitionError

BAD = Path(__file__).parent / "testdata" / "bad"
ADAPTERS = ("neiss", "rasff")


@pytest.mark.parametrize("case", sorted(path.name for path in BAD.iterdir()))
def test_all_problems_come_out_at_once_with_their_places(case, project):
    expected = (BAD / case / "expected.txt").read_text(encoding="utf-8").splitlines()
    shutil.copytree(BAD / case, project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected.txt"))
    if case == "missing":
        (project / "config/centres.yaml").unlink()
        (project / "config/dimensions.yaml").unlink()
    found = check(project, environ={}, adapters=ADAPTERS)
    assert [str(problem) for problem in found] == expected
    with pytest.raises(DefinitionError) as caught:
        load_definitions(project, environ={}, adapters=ADAPTERS)
    assert caught.value.problems == tuple(found)
    assert caught.value.exit_code == 2


def test_the_small_project_itself_is_sound(project):
    assert check(project, environ={}, adapters=ADAPTERS) == []
