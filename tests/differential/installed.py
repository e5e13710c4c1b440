"""What pinfold and pip make of the same wheels: `installed.py PINFOLD NAMES PLACE`.

The names are locked and synced by pinfold, which copies files so that modes can be compared; pip then installs exactly the locked
files, by their hashes, into an environment of the same Python. A difference that is in none of the classes of `classify` fails.
"""

import collections
import configparser
import csv
import hashlib
import io
import os
import pathlib
import re
import stat
import subprocess
import sys

# The environment's own files, which no wheel brings.
OWN = re.compile(r"(bin/(python[0-9.]*|activate.*|Activate\.ps1)|pyvenv\.cfg|\.gitignore|\.pinfold(/.*)?|lib64)$")

MANIFEST = """[project]
name = "installed"
requires-python = "=={minor}.*"
dependencies = {names}
targets = ["linux-x86_64"]

[[index]]
name = "pip"
from = "pip"
default = true
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def tree(root):
    """Returns what is below a directory: kind, mode, and bytes or target."""
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != "__pycache__" or not OWN.match(name))
        for name in names + files:
            path = pathlib.Path(directory, name)
            place = path.relative_to(root).as_posix()
            mode = path.lstat().st_mode
            if OWN.match(place):
                continue
            if stat.S_ISLNK(mode):
                found[place] = ("link", 0, os.readlink(path).encode())
            elif stat.S_ISREG(mode):
                found[place] = ("file", stat.S_IMODE(mode), path.read_bytes())
    return found


def rows(record, dropped):
    """Returns RECORD as a set of rows, without those of files that are compared by themselves or written by one tool only."""
    kept = set()
    for row in csv.reader(io.StringIO(record.decode())):
        if row and not dropped.search(row[0]):
            kept.add(tuple(row))
    return kept


def entry_points(files):
    """Returns the scripts that entry points ask for: name to (module, attribute)."""
    asked = {}
    for place, (_, _, text) in files.items():
        if not place.endswith(".dist-info/entry_points.txt"):
            continue
        parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
        parser.optionxform = str
        parser.read_string(text.decode())
        for section in ("console_scripts", "gui_scripts"):
            for name, value in parser[section].items() if parser.has_section(section) else ():
                module, _, attribute = value.split("[")[0].strip().partition(":")
                asked[name] = (module.strip(), attribute.strip())
    return asked


def runs(script, python, module, attribute):
    """Whether a script is started by this interpreter and calls what its entry point says."""
    text = script.decode()
    first = attribute.split(".")[0]
    imports = re.search(rf"^\s*from {re.escape(module)} import {re.escape(first)}$", text, re.MULTILINE)
    imports = imports or re.search(rf"^\s*import {re.escape(module)}$", text, re.MULTILINE)
    return text.startswith(f"#!{python}\n") and imports and f"{attribute}()" in text


WRITTEN = re.compile(r"\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$")
BY_ONE = re.compile(r"\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$|^(\.\./)+bin/|__pycache__/")


def classify(place, ours, theirs, roots, asked):
    """Returns the class of a difference, or nothing if it is none that is meant."""
    name = place.rpartition("/")[2]
    if ours is None:
        if place.endswith(".dist-info/REQUESTED"):
            return "requested: pip marks what was named on its command line"
        if place.endswith((".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")):
            return "signature: of a RECORD that is written anew"
        if "/__pycache__/" in place or place.endswith(".pyc"):
            return "bytecode: shipped beside its source, and not installed"
        return None
    if theirs is None:
        return None
    if ours[0] != theirs[0]:
        return None
    same_mode = ours[1] == theirs[1]
    if place.endswith(".dist-info/INSTALLER") and (ours[2], theirs[2]) == (b"pinfold\n", b"pip\n") and same_mode:
        return "installer: each writes its name"
    if place.endswith(".dist-info/RECORD") and same_mode:
        if rows(ours[2], BY_ONE) == rows(theirs[2], BY_ONE):
            return "record: order of rows, and rows of files that only one tool writes"
        return None
    if place.startswith("bin/") and same_mode:
        if name in asked:
            fits = runs(ours[2], roots[0] / "bin/python", *asked[name]) and runs(theirs[2], roots[1] / "bin/python", *asked[name])
            return "launcher: the text of a console script, which calls the same function" if fits else None
        first, _, rest = ours[2].partition(b"\n")
        their_first, _, their_rest = theirs[2].partition(b"\n")
        if rest == their_rest and first.startswith(b"#!") and their_first.startswith(b"#!"):
            return "shebang: the interpreter of the environment"
    return None


def main(pinfold, names, place):
    pinfold, place = pathlib.Path(pinfold).resolve(), pathlib.Path(place).resolve()
    lines = pathlib.Path(names).read_text().splitlines()
    wanted = [name for line in lines if not line.startswith("#") for name in line.split()]
    minor = "%d.%d" % sys.version_info[:2]
    (place / "pinfold.toml").write_text(MANIFEST.format(minor=minor, names=wanted).replace("'", '"'))
    tool = [pinfold, "-C", place, "--cache-dir", place / "cache"]
    run(*tool, "lock")
    run(*tool, "sync", "--python", sys.executable, "--link-mode", "copy")
    run(*tool, "verify")
    (place / "requirements.txt").write_text(run(*tool, "export", "--format", "requirements"))
    theirs_at = place / "theirs"
    run(sys.executable, "-m", "venv", "--without-pip", theirs_at)
    run(sys.executable, "-m", "pip", "--python", theirs_at / "bin/python", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--no-compile", "--require-hashes", "--only-binary", ":all:", "-r", place / "requirements.txt")
    ours, theirs = tree(place / ".venv"), tree(theirs_at)
    roots, asked = (place / ".venv", theirs_at), entry_points(ours)
    same, classes, wrong = compare(ours, theirs, roots, asked)
    distributions = sum(name.endswith(".dist-info/METADATA") for name in ours)
    print(f"{distributions} wheels, {len(ours)} files of pinfold's, {len(theirs)} of pip's: {same} are the same in bytes and mode")
    for name, count in sorted(classes.items()):
        print(f"  {count:5} {name}")
    for line in wrong[:50]:
        print(f"error: {line}", file=sys.stderr)
    unseen = spoiled(ours, theirs, roots, asked) if not wrong else []
    for name in unseen:
        print(f"error: a change of {name} was not noticed", file=sys.stderr)
    failed = wrong or unseen or distributions < 100
    print("installed trees check:", f"failed, {len(wrong)} differences" if failed else "passed")
    return 1 if failed else 0


def compare(ours, theirs, roots, asked):
    """Returns how many files are the same, how many differ in which way that is meant, and what differs otherwise."""
    classes, wrong, same = collections.Counter(), [], 0
    for place in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(place), theirs.get(place)
        if mine == other:
            same += 1
            continue
        known = classify(place, mine, other, roots, asked)
        if known:
            classes[known] += 1
            continue
        shown = [entry and (entry[0], oct(entry[1]), len(entry[2]), hashlib.sha256(entry[2]).hexdigest()[:12]) for entry in (mine, other)]
        wrong.append(f"{place}: pinfold {shown[0]}, pip {shown[1]}")
    return same, classes, wrong


def spoiled(ours, theirs, roots, asked):
    """The control: changes one thing of our tree after another, and returns what the comparison did not notice."""
    module = next(name for name, entry in ours.items() if name.endswith("/__init__.py") and entry[2])
    record = next(name for name in ours if name.endswith(".dist-info/RECORD"))
    launcher = next(name for name in ours if name.startswith("bin/") and name[4:] in asked)
    kind, mode, text = ours[module]
    module_of = lambda place: asked[place[4:]][0].encode()
    changes = {
        "a byte": {module: (kind, mode, bytes([text[0] ^ 1]) + text[1:])},
        "a mode": {module: (kind, mode ^ 0o100, text)},
        "a file that is gone": {module: None},
        "a file that was added": {module + ".orig": (kind, mode, text)},
        "a row of RECORD": {record: (*ours[record][:2], ours[record][2].replace(b"METADATA,sha256=", b"METADATA,sha256=A", 1))},
        "a launcher": {launcher: (*ours[launcher][:2], ours[launcher][2].replace(module_of(launcher), b"x" + module_of(launcher)))},
    }
    unseen = []
    for name, change in changes.items():
        other = {place: entry for place, entry in {**ours, **change}.items() if entry}
        if not compare(other, theirs, roots, asked)[2]:
            unseen.append(name)
    return unseen


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
