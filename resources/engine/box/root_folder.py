"""The root folder of a box: the host's programs, read-only, an own /dev, /proc and /sys, and nothing else of the host.

No home, no /etc but for what programs need to start, no state of InfraAudit, no socket of another engine. Runs as the
box's root, in the box's namespaces.
"""

import os
from pathlib import Path

from resources.engine.box import kernel
from resources.engine.box.firewall import RESOLVER

_PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
_OF_ETC = (
    "alternatives",
    "ca-certificates",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "protocols",
    "services",
    "ssl",
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_EMPTY = ("data", "dev", "etc", "proc", "root", "run", "sockets", "sys", "tmp", "var")


def enter(data: str, place: str) -> None:
    """Build the root folder below ``place``, and enter it: data at /data, the box's sockets at /sockets."""
    root = Path(place) / "root"
    kernel.mount("tmpfs", str(root), "tmpfs", kernel.NO_SETUID, "mode=755,size=16m")
    for name in _EMPTY:
        (root / name).mkdir()
    for name in _PROGRAMS:
        _show(f"/{name}", root / name)
    for name in _OF_ETC:
        _show(f"/etc/{name}", root / "etc" / name)
    _write_etc(root / "etc")
    _devices(root / "dev")
    kernel.mount("proc", str(root / "proc"), "proc", kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS)
    kernel.mount("sysfs", str(root / "sys"), "sysfs", kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS)
    # Shows the box's own group, whose files belong to the host's root; runc wants to see one.
    kernel.mount("cgroup2", str(root / "sys/fs/cgroup"), "cgroup2", kernel.NO_SETUID | kernel.NO_DEVICES)
    for name, size in (("tmp", 64), ("run", 64)):
        kernel.mount("tmpfs", str(root / name), "tmpfs", kernel.NO_SETUID, f"size={size}m")
    kernel.bind(data, str(root / "data"))
    kernel.bind(f"{place}/sockets", str(root / "sockets"))
    kernel.enter_root(str(root))


def _show(source: str, target: Path) -> None:
    """The same link, or the file or folder itself, read-only."""
    if os.path.islink(source) and not source.startswith("/etc/"):
        target.symlink_to(os.readlink(source))
        return
    if not os.path.exists(source):
        return
    if os.path.isdir(source):
        target.mkdir()
    else:
        target.touch()
    kernel.bind(source, str(target))
    # Only the topmost mount becomes read-only by this; the box's root may write none of the host's files anyway.
    kept = _flags_of(str(target))
    kernel.mount("none", str(target), None, kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | kept)


def _flags_of(path: str) -> int:
    """The flags that a mount already has and must keep in a user namespace."""
    found = os.statvfs(path).f_flag
    # The numbers of statvfs(3) and mount(2) are the same for these, and not for the times of access.
    kept = found & (kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS)
    times = {os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}
    return kept | sum(flag for name, flag in times.items() if found & name)


def _write_etc(etc: Path) -> None:
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")


def _devices(folder: Path) -> None:
    kernel.mount("tmpfs", str(folder), "tmpfs", kernel.NO_SETUID, "mode=755,size=64k")
    for name in _DEVICES:
        (folder / name).touch()
        kernel.bind(f"/dev/{name}", str(folder / name))
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (folder / name).symlink_to(target)
    (folder / "shm").mkdir()
    (folder / "pts").mkdir()
    kernel.mount("devpts", str(folder / "pts"), "devpts", kernel.NO_SETUID, "newinstance,ptmxmode=0666,mode=0620")
    (folder / "ptmx").symlink_to("pts/ptmx")
