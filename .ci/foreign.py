"""What the `packaging` library selects from a lock: on its targets, and on machines that it is not for."""

import dataclasses
import sys
import tomllib

from packaging import tags
from packaging.pylock import Pylock, PylockSelectError

LINUX = dict(os_name="posix", sys_platform="linux", platform_machine="x86_64", platform_system="Linux")
WINDOWS = dict(os_name="nt", sys_platform="win32", platform_machine="AMD64", platform_system="Windows")
MACOS = dict(os_name="posix", sys_platform="darwin", platform_machine="arm64", platform_system="Darwin")
FREEBSD = dict(os_name="posix", sys_platform="freebsd14", platform_machine="amd64", platform_system="FreeBSD")
ARM = dict(LINUX, platform_machine="aarch64")
INTEL_MAC = dict(MACOS, platform_machine="x86_64")


def environment(system, python="3.10.14", implementation="cpython"):
    names = dict(cpython="CPython", pypy="PyPy")
    return dict(system, python_version=".".join(python.split(".")[:2]), python_full_version=python,
                implementation_name=implementation, implementation_version=python, platform_release="", platform_version="",
                platform_python_implementation=names[implementation])


def tags_of(platforms, python=(3, 10), implementation="cpython"):
    if implementation == "pypy":
        return list(tags.generic_tags("pp310", ["pypy310_pp73"], platforms)) + list(tags.compatible_tags(python, "pp310", platforms))
    return list(tags.cpython_tags(python, platforms=platforms)) + list(tags.compatible_tags(python, "cp%d%d" % python, platforms))


def linux_platforms(machine, libc=28):
    manylinux = [f"manylinux_2_{minor}_{machine}" for minor in range(libc, 4, -1)]
    return manylinux + [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}", f"linux_{machine}"]


MACOS_TAGS = list(tags.mac_platforms((13, 0), "arm64"))
TARGETS = {
    "linux": (environment(LINUX), tags_of(linux_platforms("x86_64"))),
    "windows": (environment(WINDOWS), tags_of(["win_amd64"])),
    "macos": (environment(MACOS), tags_of(MACOS_TAGS)),
}
# The tags of a foreign machine are made as friendly as they can be: its own, and those that any wheel without code has.
FOREIGN = {
    "linux, another processor": (environment(ARM), tags_of(linux_platforms("aarch64"))),
    "linux, an older Python": (environment(LINUX, "3.9.19"), tags_of(linux_platforms("x86_64"), (3, 9))),
    "linux, a newer Python": (environment(LINUX, "3.13.0"), tags_of(linux_platforms("x86_64"), (3, 13))),
    "linux, another interpreter": (environment(LINUX, implementation="pypy"), tags_of(linux_platforms("x86_64"), implementation="pypy")),
    "macos, another processor": (environment(INTEL_MAC), tags_of(list(tags.mac_platforms((13, 0), "x86_64")))),
    "windows, another processor": (environment(dict(WINDOWS, platform_machine="ARM64")), tags_of(["win_arm64"])),
    "another system": (environment(FREEBSD), tags_of(["freebsd_14_0_release_amd64"])),
}


def selected(lock, machine):
    env, machine_tags = machine
    return {package.name: file for package, file in lock.select(environment=env, tags=machine_tags)}


def main(path):
    with open(path, "rb") as file:
        lock = Pylock.from_dict(tomllib.load(file))
    failures = []
    for name, machine in TARGETS.items():
        count = len(selected(lock, machine))
        print(f"{name}: {count} packages")
        if count < 100:
            failures.append(f"{name}: only {count} packages are selected")
    # As a tool would see it that does not look at the first lines of a lock.
    careless = dataclasses.replace(lock, environments=None, requires_python=None)
    for name, machine in FOREIGN.items():
        for kind, read in (("as it is", lock), ("without environments", careless)):
            try:
                count = len(selected(read, machine))
                failures.append(f"{name}, {kind}: {count} packages are selected, though the lock is not for it")
            except PylockSelectError as error:
                print(f"{name}, {kind}: {str(error).splitlines()[0][:120]}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print("foreign systems check:", "failed" if failures else "passed")
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
