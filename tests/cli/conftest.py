# SPDX-License-Identifier: MIT
"""Every test gets an IPC namespace and a /dev/shm of its own, in private mount,
PID and network namespaces that die with the test run.

Environment: IPCCTL, the program (./ipcctl); FACTORY (build/tests/factory);
IPCCTL_WRAPPER, a command prefix such as valgrind; IPCCTL_SAMPLE, if set, of many similar cases a few;
IPCCTL_FAULTS=all, every allocation and system call fails in turn, not some.
"""

import contextlib
import os
import subprocess
import sys

import kernel
import namespaces
import places
import pytest
from program import Ipcctl, Factory

# Where an mqueue file system is mounted for a test, in its own mount namespace.
MQUEUE = "/dev/mqueue" if os.path.isdir("/dev/mqueue") else "/mnt"
pytest.register_assert_rewrite("leftovers", "holdings", "monitoring", "comparing", "stage", "scenes_readme",
                               "scenes_manual", "scenes_pages")
import leftovers  # noqa: E402: only now are its assertions told in full

# What looks paths up without waiting for a file system, races with others, or has calls refused that valgrind needs.
WITHOUT_VALGRIND = {"test_fifo.py", "test_transient.py", "test_passive_held.py", "test_storm.py",
                    "test_unix_file.py", "test_lock.py", "test_futex.py", "test_waits.py", "test_clean_container.py",
                    "test_clean_churn.py", "test_clean_software.py", "test_ipcns.py", "test_ipcns_commands.py",
                    "test_ipcns_hostile.py", "test_examples.py", "test_old_kernel.py"}
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_cmdline_main(config):
    if namespaces.inside():
        return
    prefix = namespaces.entering()
    if not prefix:
        print("no private namespaces can be made here (unshare(1), user namespaces)", file=sys.stderr)
        raise SystemExit(77)  # pytest.exit() ends in a traceback, and 1, this early
    os.environ[namespaces.MARK] = namespaces.current()
    config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    os.execvp(prefix[0], [*prefix, sys.executable, "-m", "pytest", *config.invocation_params.args])


def pytest_configure(config):
    config.addinivalue_line("markers", "real_root: needs more users than one (skipped elsewhere)")
    if namespaces.inside():
        # Nothing mounted from here on is seen outside, and no queue of outside is in sight.
        kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
        for target in mqueue_mounts():
            kernel.unmount(target)


def mqueue_mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
        return [line.split()[4] for line in f if " - mqueue " in line]


def one_user_only():
    """Whether this user namespace knows but one user."""
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return sum(int(line.split()[2]) for line in f) < 65535


def repeats(ipcctl, most):
    """How often to do what may go wrong in one of many runs: where a run costs more, not so often."""
    return most // 20 + 1 if ipcctl.slow else most // 5 if os.environ.get("IPCCTL_SAMPLE") else most


def pytest_collection_modifyitems(config, items):
    """Where a run costs more (IPCCTL_SAMPLE), of a test with many cases every fifth is taken; where it costs
    seconds (under a wrapper such as valgrind), one, and with IPCCTL_SAMPLE that of every other test. The other
    builds run them all."""
    wrapped, sample = os.environ.get("IPCCTL_WRAPPER"), os.environ.get("IPCCTL_SAMPLE")
    if not wrapped and not sample:
        return
    cases = {}
    for item in items:
        cases.setdefault((item.path, getattr(item, "originalname", item.name)), []).append(item)
    if wrapped:
        kept = {group[len(group) // 2] for group in list(cases.values())[::2 if sample else 1]}
    else:
        kept = {item for group in cases.values() for item in (group if len(group) <= 5 else group[::5])}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]
    for item in items:
        if under_valgrind() and os.path.basename(item.path) in WITHOUT_VALGRIND:
            item.add_marker(pytest.mark.skip("valgrind knows no openat2(2), or is too slow for it"))


def pytest_runtest_setup(item):
    if item.get_closest_marker("real_root") and one_user_only():
        pytest.skip("needs root outside of a user namespace: only one user here")


@pytest.fixture(autouse=True)
def isolated():
    """A new IPC namespace and an empty /dev/shm; no mqueue file system is mounted."""
    assert namespaces.inside()
    kernel.unshare(kernel.CLONE_NEWIPC)
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=64m")
    for target in mqueue_mounts():
        kernel.unmount(target)
    # valgrind knows no fsopen(2), without which only a mount shows the queues.
    if under_valgrind():
        kernel.mount("mqueue", MQUEUE, "mqueue")
    yield
    kernel.unmount("/dev/shm")


def under_valgrind():
    return "valgrind" in os.environ.get("IPCCTL_WRAPPER", "")


@pytest.fixture
def lookups():
    """Files are looked up without waiting: openat2(2)."""
    if under_valgrind():
        pytest.skip("valgrind knows no openat2(2)")


@pytest.fixture
def copies():
    """Says that the test is about what only a copy of a descriptor tells."""
    if under_valgrind():
        pytest.skip("valgrind knows no pidfd_getfd(2)")


@pytest.fixture
def signals():
    """Says that the test is about signals to processes that cannot be mistaken."""
    if under_valgrind():
        pytest.skip("valgrind knows no pidfd_send_signal(2)")


@pytest.fixture
def mqueue_unmounted(isolated):
    """Says that the test is about queues that are mounted nowhere."""
    if under_valgrind():
        pytest.skip("valgrind knows no fsopen(2)")


@pytest.fixture
def mqueue_mounted(isolated):
    """An mqueue file system of the test's namespace; returns where."""
    if not under_valgrind():
        kernel.mount("mqueue", MQUEUE, "mqueue")
    return MQUEUE


@pytest.fixture(scope="session")
def ipcctl():
    return Ipcctl(os.path.join(TOP, os.environ.get("IPCCTL", "ipcctl")), TOP)


@pytest.fixture(scope="session")
def top():
    return TOP


@pytest.fixture
def factory(isolated):
    """Makes things; what they hold is let go when the test ends."""
    with contextlib.ExitStack() as stack:
        yield Factory(os.path.join(TOP, os.environ.get("FACTORY", "build/tests/factory")), stack)


@pytest.fixture
def own_factory(isolated, ipcctl, top):
    """The factory with the program's libc, which need not be the system's."""
    path = os.path.join(top, os.environ.get("FACTORY", "build/tests/factory"))
    with contextlib.ExitStack() as stack:
        yield Factory(path + "-musl" if ipcctl.musl and os.access(path + "-musl", os.X_OK) else path, stack)


@pytest.fixture
def foreign_program(top):
    """A program whose words are of the other size: tests/factory/foreign."""
    program = os.path.join(top, os.path.dirname(os.environ.get("FACTORY", "build/tests/factory")), "foreign")
    try:
        subprocess.run([program, "/"], check=False)
    except OSError as error:
        pytest.skip(f"no program with words of another size can be made or run here: {error.strerror}")
    return program


@pytest.fixture
def place(factory):
    """Makes new namespaces, as places.Place does; they end with the test."""
    made = []

    def new(*sorts, **arguments):
        made.append(places.Place(*sorts, factory=factory, **arguments))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture(params=leftovers.KINDS)
def thing(request):
    """A name for a file in /dev/shm or a queue; nothing has it yet."""
    return leftovers.Named(request.param)


@pytest.fixture
def first(ipcctl, tmp_path):
    """The program in what it takes for the first PID namespace."""
    tmp_path.chmod(0o755)
    yield leftovers.first_namespace(ipcctl, tmp_path)
    kernel.unmount("/proc/loadavg")


@pytest.fixture
def background():
    """Starts a process that is ended with the test."""
    started = []

    def start(*command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
