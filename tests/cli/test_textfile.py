# SPDX-License-Identifier: MIT
"""metrics --textfile: the file is replaced in one, or stays as it was, and nothing is left beside it."""

import errno
import os
import pathlib
import resource
import stat
import subprocess

import kernel
import pytest
from monitoring import Exposition, traced
from program import ENVIRONMENT, NOBODY, Churn, become, words_of

OLD = b"# what was there\n"


@pytest.fixture
def path(tmp_path):
    """A file that is there, alone in its directory."""
    path = tmp_path / "d" / "ipcctl.prom"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def write(ipcctl, path, *words, **options):
    result = ipcctl("metrics", "--quiet", "--textfile", str(path), *words, **options)
    assert result.out == b"" and (result.err == b"" or result.status), result
    return result


def refuses(ipcctl, path, reason, *words, **options):
    """One line that names the file and the reason, and the status 1."""
    result = write(ipcctl, path, *words, status=1, **options)
    assert len(result.errors) == 1, result
    assert result.errors[0] == f"ipcctl: metrics: {path}: {reason}; it is as it was"


def test_written(ipcctl, path):
    """The text that else is printed; another file than before, which stays whole for who has it open."""
    kernel.semget(0, 7, 0o600)
    with open(path, "rb") as old:
        write(ipcctl, path)
        assert old.read() == OLD and os.fstat(old.fileno()).st_nlink == 0
    assert Exposition(path.read_bytes()).value("nsems", kind="sysv-sem") == 7
    assert os.listdir(path.parent) == ["ipcctl.prom"]
    printed = Exposition(ipcctl("metrics", "--quiet").out)
    assert set(Exposition(path.read_bytes()).families) == set(printed.families)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_mode(ipcctl, path, umask):
    """The same whatever the umask and the old file's."""
    path.chmod(0o600)
    write(ipcctl, path, drop=lambda: os.umask(umask) and None)
    st = path.lstat()
    assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o644 and st.st_uid == os.geteuid()


def test_new(ipcctl, tmp_path):
    write(ipcctl, tmp_path / "new")
    assert Exposition((tmp_path / "new").read_bytes())
    # Relative to where it runs, with and without a slash.
    for word in ("plain", "./dotted"):
        result = subprocess.run(ipcctl.command("metrics", "--quiet", "--textfile", word), cwd=tmp_path, env=ENVIRONMENT)
        assert result.returncode == 0 and Exposition((tmp_path / word).read_bytes())
    assert sorted(os.listdir(tmp_path)) == ["dotted", "new", "plain"]


@pytest.mark.parametrize("name", ["x" * 255, "with space", "new\nline", "\udcff", "ü" * 120], ids=ascii)
def test_names(ipcctl, tmp_path, name):
    write(ipcctl, tmp_path / name)
    assert os.listdir(tmp_path) == [name] and Exposition((tmp_path / name).read_bytes())


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_symbolic_link(ipcctl, path, target):
    """It is replaced, not followed."""
    if target == "there":
        (path.parent / target).write_bytes(OLD)
    path.unlink()
    path.symlink_to(target)
    write(ipcctl, path)
    assert not path.is_symlink() and Exposition(path.read_bytes())
    assert target == "nowhere" or (path.parent / target).read_bytes() == OLD
    assert sorted(os.listdir(path.parent)) == ["ipcctl.prom", *(["there"] if target == "there" else [])]


def test_link_of_a_directory(ipcctl, path, tmp_path):
    (tmp_path / "link").symlink_to("d")
    write(ipcctl, tmp_path / "link" / "ipcctl.prom")
    assert Exposition(path.read_bytes()) and (tmp_path / "link").is_symlink()


def test_readers_see_whole_texts(ipcctl, path):
    """Whoever opens it, at any time, gets a whole one; and a file never changes once it has the name."""
    write(ipcctl, path)
    seen = {}

    def read():
        with open(path, "rb") as f:
            data, number = f.read(), os.fstat(f.fileno()).st_ino
            f.seek(0)
            assert data.startswith(b"# TYPE ") and data.endswith(b"\n# EOF\n") and f.read() == data
            # An inode may be used again, for another text: but not while this is open.
            seen[number] = seen.get(number, 0) + 1

    with Churn(read):
        for _ in range(3 if ipcctl.slow else 40):
            write(ipcctl, path)
    assert len(seen) >= 2 and os.listdir(path.parent) == ["ipcctl.prom"]


def test_two_writers(ipcctl, path):
    """Each writes its own; one of the two is there in the end."""
    for _ in range(2 if ipcctl.slow else 10):
        writers = [subprocess.Popen(ipcctl.command("metrics", "--quiet", "--textfile", str(path)), env=ENVIRONMENT)
                   for _ in range(3)]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
        assert Exposition(path.read_bytes()) and os.listdir(path.parent) == ["ipcctl.prom"]


# What goes wrong


def unchanged(path, before):
    st = os.lstat(path)
    assert path.read_bytes() == OLD and os.listdir(path.parent) == [path.name]
    assert (st.st_ino, st.st_mtime_ns, st.st_ctime_ns, st.st_mode) == before


def identity(path):
    st = os.lstat(path)
    return st.st_ino, st.st_mtime_ns, st.st_ctime_ns, st.st_mode


def test_no_directory(ipcctl, path):
    refuses(ipcctl, path.parent / "none" / "x", "No such file or directory")
    refuses(ipcctl, path / "x", "Not a directory")
    assert os.listdir(path.parent) == ["ipcctl.prom"]


@pytest.mark.parametrize("word", ["{}", "{}/", "{}/.", "."])
def test_is_a_directory(ipcctl, tmp_path, word):
    (tmp_path / "d").mkdir()
    os.chmod(tmp_path / "d", 0o755)
    word = word.format(tmp_path / "d")
    result = write(ipcctl, word, status=1)
    assert len(result.errors) == 1 and word in result.errors[0] and "it is as it was" in result.errors[0]
    assert os.listdir(tmp_path) == ["d"] and os.listdir(tmp_path / "d") == []


def test_empty_name(ipcctl):
    assert len(write(ipcctl, "", status=None).errors) == 1


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_file_stays(ipcctl, factory, path, kind):
    """A mistaken /dev/null, say."""
    path.unlink()
    if kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("no device can be made here")
    else:
        factory("file", name=str(path), type=kind)
    before = identity(path)
    refuses(ipcctl, path, "not a regular file")
    assert identity(path) == before and os.listdir(path.parent) == ["ipcctl.prom"]


@pytest.mark.real_root
def test_not_permitted(ipcctl):
    """In a directory that he reaches, but may not change."""
    path = pathlib.Path("/dev/shm/d/ipcctl.prom")
    path.parent.mkdir(mode=0o755)
    path.write_bytes(OLD)
    before = identity(path)
    refuses(ipcctl, path, "Permission denied", drop=become(NOBODY))
    unchanged(path, before)
    path.parent.chmod(0o777)
    write(ipcctl, path, drop=become(NOBODY))
    assert Exposition(path.read_bytes()) and path.stat().st_uid == NOBODY


@pytest.mark.parametrize("free", [0, 4096])
def test_disk_full(ipcctl, tmp_path, free):
    """Whether there is room for nothing, or for a part."""
    directory = tmp_path / "full"
    directory.mkdir()
    kernel.mount("tmpfs", str(directory), "tmpfs", 0, f"size={4096 * 3 + free}")
    try:
        path = directory / "ipcctl.prom"
        path.write_bytes(OLD)
        (tmp_path / "full" / "other").write_bytes(b"x" * 8192)
        before = identity(path)
        refuses(ipcctl, path, "No space left on device")
        assert identity(path) == before and path.read_bytes() == OLD
        assert sorted(os.listdir(directory)) == ["ipcctl.prom", "other"]
        (directory / "other").unlink()
        kernel.mount("tmpfs", str(directory), "tmpfs", 32, "size=1m")  # MS_REMOUNT
        write(ipcctl, path)
        assert Exposition(path.read_bytes()) and os.listdir(directory) == ["ipcctl.prom"]
    finally:
        kernel.unmount(str(directory))


def test_read_only(ipcctl, tmp_path):
    directory = tmp_path / "ro"
    directory.mkdir()
    kernel.mount("tmpfs", str(directory), "tmpfs")
    try:
        path = directory / "ipcctl.prom"
        path.write_bytes(OLD)
        kernel.mount("tmpfs", str(directory), "tmpfs", 32 | 1)  # MS_REMOUNT, MS_RDONLY
        before = identity(path)
        refuses(ipcctl, path, "Read-only file system")
        unchanged(path, before)
    finally:
        kernel.unmount(str(directory))


def test_file_size_limit(ipcctl, path):
    """The signal of that limit would end it with its work half done."""
    if ipcctl.slow:
        pytest.skip("the limit is the wrapper's, too, which has files of its own")
    before = identity(path)
    refuses(ipcctl, path, "File too large",
            drop=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY)))
    unchanged(path, before)


@pytest.mark.parametrize("call, when, whole", [("fsync", 1, False), ("fchmod", 1, False), ("renameat", 1, False),
                                               ("fsync", 2, True)])
def test_each_step_may_fail(ipcctl, path, call, when, whole):
    """Before it has the name nothing has changed; after that it is done, come what may."""
    before = identity(path)
    result = traced(ipcctl, f"{call}:error=EIO:when={when}", "metrics", "--quiet", "--textfile", str(path))
    assert result.out == b""
    if whole:
        assert (result.status, result.errors) == (0, []) and Exposition(path.read_bytes())
        assert os.listdir(path.parent) == ["ipcctl.prom"]
    else:
        assert result.status == 1 and result.errors == [f"ipcctl: metrics: {path}: {words_of(errno.EIO)}; it is as it was"]
        unchanged(path, before)
