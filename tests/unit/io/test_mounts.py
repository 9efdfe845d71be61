"""Network file systems are known by the table of mounts."""

from __future__ import annotations

import pytest

from openhcs.io.mounts import network_kind

TABLE = r"""22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:27 / /mnt/lab rw,relatime - nfs4 server:/lab rw,vers=4.2
32 22 0:28 / /mnt/lab\040two rw - cifs //server/two rw
33 31 0:29 / /mnt/lab/scratch rw - xfs /dev/vdb rw
34 22 0:30 / /mnt/laboratory rw - ext4 /dev/vdc rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/plate", None),
        ("/mnt/lab/plate", "nfs4"),
        ("/mnt/lab", "nfs4"),
        ("/mnt/lab two/plate", "cifs"),
        ("/mnt/lab/scratch/plate", None),
        ("/mnt/laboratory/plate", None),
    ],
)
def test_the_mount_that_lies_nearest_counts(path, kind):
    assert network_kind(path, TABLE) == kind


def test_this_machines_table_is_read(tmp_path):
    assert network_kind(tmp_path) is None or isinstance(network_kind(tmp_path), str)


def test_lines_that_are_no_mounts_are_passed_over():
    assert network_kind("/a", "nonsense\n1 2 3\n - nfs4 x\n") is None
