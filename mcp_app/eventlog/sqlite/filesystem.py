"""Which file system a folder is on, from Linux's own table of them. Pure: the table is an argument.

SQLite's WAL needs memory that all processes share, and locks that hold: network file systems have neither
(https://sqlite.org/wal.html, "all processes using a database must be on the same host computer").
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

NETWORK = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "ceph", "glusterfs", "lustre", "gfs2"),
        *("ocfs2", "gpfs", "beegfs", "orangefs", "pvfs2", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"),
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.davfs", "fuse.juicefs", "fuse.mount-s3", "fuse.smbnetfs"),
        *("fuse.ceph-fuse", "fuse.curlftpfs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.goofys"),
    ]
)
"""As Linux names them. `9p` is what some virtual machines share folders by: its mapped memory is not shared."""

_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system(folder: PurePosixPath, mountinfo: str) -> str | None:
    """The type of the file system that the absolute, resolved `folder` is on; None if the table does not say.

    `mountinfo` is the content of /proc/self/mountinfo (proc_pid_mountinfo(5)). Of those that are mounted at one place,
    the last is seen.
    """
    found, depth = None, -1
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if not separator or len(fields) < 5 or not kind:
            continue
        place = PurePosixPath(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if folder.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = kind[0], len(place.parts)
    return found
