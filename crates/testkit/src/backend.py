"""A build backend of the standard library alone (PEP 517): it packs `src/` and the METADATA beside it."""
import base64
import hashlib
import os
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))


def _read(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def _dist():
    return _read("DIST").decode().strip()


def _files():
    files = {}
    root = os.path.join(HERE, "src")
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            files[os.path.relpath(path, root).replace(os.sep, "/")] = _read(path)
    info = _dist() + ".dist-info/"
    files[info + "METADATA"] = _read("METADATA.in")
    files[info + "WHEEL"] = b"Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
    rows.append(info + "RECORD,,\n")
    files[info + "RECORD"] = "".join(rows).encode()
    return files


def get_requires_for_build_wheel(config_settings=None):
    return _read("DYNAMIC").decode().split("\n")[:-1]


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = _dist() + ".dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "wb") as file:
        file.write(_read("METADATA.in"))
    return folder


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    exec(compile(_read("RUNS").decode(), "RUNS", "exec"), {"wheel_directory": wheel_directory})
    name = _dist() + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in _files().items():
            member = zipfile.ZipInfo(path)
            member.external_attr = 0o100644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(member, data)
    return name
