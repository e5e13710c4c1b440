# Asks an interpreter what it is and prints one line of JSON. Run isolated (-I), without site (-S): only the standard
# library is imported, nothing that is installed.
import json
import os
import platform
import sys
import sysconfig

EXE = ".exe" if os.name == "nt" else ""


def environment_home(program):
    """Returns the `home` of the environment that a program is in, or None."""
    here = os.path.dirname(os.path.abspath(program))
    for directory in (here, os.path.dirname(here)):
        try:
            with open(os.path.join(directory, "pyvenv.cfg"), encoding="utf-8") as lines:
                for line in lines:
                    key, _, value = line.partition("=")
                    if key.strip().lower() == "home":
                        return value.strip()
        except OSError:
            pass
    return None


def first_program(directory):
    """Returns this version's program in a directory: the most particular name that there is."""
    names = ["python%d.%d" % sys.version_info[:2], "python3", "python"]
    for name in names:
        path = os.path.join(directory, name + EXE)
        if os.path.exists(path):
            return path
    return None


def base_of(program):
    """Follows environments made from environments down to the installation."""
    for _ in range(16):
        home = environment_home(program)
        found = home and first_program(home)
        if not found:
            break
        program = found
    particular = first_program(os.path.dirname(program))
    same = particular and os.path.realpath(particular) == os.path.realpath(program)
    return os.path.abspath(particular if same else program)


def scheme_paths():
    """Returns where an environment keeps things, relative to it."""
    names = sysconfig.get_scheme_names()
    scheme = "venv" if "venv" in names else "nt" if os.name == "nt" else "posix_prefix"
    root = os.path.join(os.path.abspath(os.sep), "environment")
    variables = {name: root for name in ("base", "platbase", "installed_base", "installed_platbase")}
    paths = sysconfig.get_paths(scheme, variables)

    def inside(path):
        return os.path.relpath(path, root).replace(os.sep, "/")

    headers = "include/site/python%d.%d" % sys.version_info[:2]
    keys = ("purelib", "platlib", "scripts")
    return dict({key: inside(paths[key]) for key in keys}, headers=headers if os.name != "nt" else "Include")


def glibc():
    """Returns the version of the GNU C library, or None."""
    try:
        name, _, version = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")
    except (AttributeError, OSError, ValueError):
        return None
    return version if name == "glibc" else None


def main():
    info = sys.version_info
    version = "%d.%d.%d" % info[:3]
    if info.releaselevel != "final":
        version += {"alpha": "a", "beta": "b", "candidate": "rc"}[info.releaselevel] + str(info.serial)
    executable = os.path.abspath(sys.executable)
    json.dump(
        {
            "executable": executable,
            "base_executable": base_of(executable),
            "base_prefix": sys.base_prefix,
            "version": version,
            "implementation_name": sys.implementation.name,
            "platform_python_implementation": platform.python_implementation(),
            "os_name": os.name,
            "sys_platform": sys.platform,
            "platform_machine": platform.machine(),
            "platform_system": platform.system(),
            "platform_release": platform.release(),
            "platform_version": platform.version(),
            "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
            "glibc": glibc(),
            "macos_release": platform.mac_ver()[0] or None,
            "is_environment": environment_home(executable) is not None,
            "scheme": scheme_paths(),
        },
        sys.stdout,
    )


main()
