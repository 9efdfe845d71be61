"""The memory that a process may use is the least that any cgroup around it allows."""

from __future__ import annotations

import pytest

from openhcs.io.limits import cgroup_limits, memory_limit

GB = 10**9


def tree(root, limits):
    for path, limit in limits.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{limit}\n")


JOB = "system.slice/slurmstepd.scope/job_7/step_0/user/task_0"
V2 = {"system.slice/memory.max": "max", "system.slice/slurmstepd.scope/job_7/memory.max": 4 * GB}
V1 = {"memory/memory.limit_in_bytes": 9 * GB, "memory/slurm/uid_5/job_7/memory.limit_in_bytes": 3 * GB}


@pytest.mark.parametrize(
    ("limits", "own", "least"),
    [
        ({"memory.max": 2 * GB}, "0::/\n", 2 * GB),
        (V2, f"0::/{JOB}\n", 4 * GB),
        ({**V2, f"{JOB}/memory.max": GB}, f"0::/{JOB}\n", GB),
        (V1, "9:cpu:/\n4:memory,hugetlb:/slurm/uid_5/job_7/step_0\n0::/\n", 3 * GB),
        (V1, "4:memory:/another\n", 9 * GB),
        ({"cpu/memory.max": GB}, "9:cpu:/cpu\n", None),
        ({"memory.max": "max"}, "0::/\n", None),
        ({"memory.max": 5 * GB}, "nonsense\n", 5 * GB),
    ],
    ids=["container", "job", "step", "v1 job", "v1 container", "not memory", "no limit", "damaged list"],
)
def test_the_least_of_all_cgroups_counts(limits, own, least, tmp_path):
    tree(tmp_path / "fs", limits)
    (tmp_path / "own").write_text(own)
    assert min(cgroup_limits(tmp_path / "fs", tmp_path / "own"), default=None) == least


def test_a_job_of_another_name_is_none_of_ours(tmp_path):
    tree(tmp_path / "fs", {"other/memory.max": 1, "job/memory.max": 2})
    (tmp_path / "own").write_text("0::/job\n")
    assert cgroup_limits(tmp_path / "fs", tmp_path / "own") == [2]


def test_where_there_are_no_cgroups_the_machine_counts(tmp_path):
    assert cgroup_limits(tmp_path / "none", tmp_path / "no list") == []
    assert memory_limit() > 10**8
