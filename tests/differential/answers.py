"""The answers of the `packaging` library, in the form in which pinfold gives its own."""

import re

from packaging import _manylinux, _musllinux, markers, tags
from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (InvalidName, InvalidSdistFilename, InvalidWheelFilename, canonicalize_name, parse_sdist_filename,
                             parse_wheel_filename)
from packaging.version import InvalidVersion, Version

REFUSALS = (InvalidMarker, InvalidName, InvalidRequirement, InvalidSdistFilename, InvalidSpecifier, InvalidVersion,
            InvalidWheelFilename, UndefinedComparison)


def answer(question):
    """Returns the library's answer, or `{"error": …}`."""
    try:
        return globals()["answer_" + question["ask"]](question)
    except REFUSALS as error:
        return {"error": f"{type(error).__name__}: {error}"}


def answer_version(question):
    version = Version(question["text"])
    return dict(version=str(version), public=version.public, epoch=version.epoch, release=list(version.release),
                prerelease=version.is_prerelease, postrelease=version.is_postrelease, local=version.local is not None)


def answer_order(question):
    left, right = Version(question["left"]), Version(question["right"])
    return (left > right) - (left < right)


def clauses(specifiers):
    """Returns the clauses with their versions in the normal form."""
    written = set()
    for clause in specifiers:
        bare = clause.version.removesuffix(".*") if clause.operator in ("==", "!=") else clause.version
        written.add(clause.operator + str(Version(bare)) + clause.version[len(bare):])
    return sorted(written)


def answer_specifiers(question):
    specifiers = SpecifierSet(question["text"])
    contains = [is_contained(specifiers, version) for version in question["versions"]]
    return dict(specifiers=clauses(specifiers), contains=contains)


def is_contained(specifiers, version):
    try:
        return specifiers.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return None


def answer_requirement(question):
    requirement = Requirement(question["text"])
    return dict(name=canonicalize_name(requirement.name), extras=sorted({canonicalize_name(e) for e in requirement.extras}),
                specifiers=clauses(requirement.specifier), url=requirement.url, marker=requirement.marker is not None)


def answer_marker(question):
    marker = Marker(question["text"])
    return [marker.evaluate(environment) for environment in question["environments"]]


def as_list_of_versions(lhs, op, rhs):
    """A version among versions, not a text within a text."""
    if op not in ("in", "not in"):
        return None
    return any(Version(lhs) == Version(version) for version in rhs.split()) == (op == "in")


def is_version(text):
    try:
        return Version(text) is not None
    except InvalidVersion:
        return False


def as_text(lhs, op, rhs, key):
    """Versions where both are, as of a kernel's release; else equal or not as text."""
    if key not in ("platform_release", "platform_version"):
        return None
    if is_version(lhs) and is_version(rhs):
        return SpecifierSet(op + rhs).contains(lhs, prereleases=True) if key == "platform_version" and op not in ("in", "not in") else None
    return {"==": lhs == rhs, "!=": lhs != rhs, "in": None, "not in": None}.get(op, False if key == "platform_version" else None)


VERSIONS = {"python_version", "python_full_version", "implementation_version"}
READINGS = {
    "release-is-text": as_text,
    "version-list": lambda lhs, op, rhs, key: as_list_of_versions(lhs, op, rhs) if key in VERSIONS else None,
}


def read_otherwise(question, names):
    """Returns the library's answer about a marker with some comparisons as pinfold reads them."""
    original = markers._eval_op

    def evaluate(lhs, op, rhs, *, key):
        for name in names:
            answer = READINGS[name](lhs, op.serialize(), rhs, key)
            if answer is not None:
                return answer
        return original(lhs, op, rhs, key=key)

    markers._eval_op = evaluate
    try:
        return answer_marker(question)
    except REFUSALS as error:
        return {"error": str(error)}
    finally:
        markers._eval_op = original


def answer_name(question):
    return canonicalize_name(question["text"], validate=True)


def answer_wheel(question):
    name, version, build, found = parse_wheel_filename(question["text"])
    return dict(name=name, version=str(version), build=f"{build[0]}{build[1]}" if build else None,
                tags=sorted(str(tag) for tag in found))


def answer_sdist(question):
    name, version = parse_sdist_filename(question["text"])
    return dict(name=name, version=str(version))


def answer_tags(question):
    """The ladder of CPython on a machine that is exactly the target's floor."""
    version = tuple(int(part) for part in question["python"].split("."))
    platforms = platform_tags(question["system"])
    minor = "".join(str(part) for part in version)
    abi = f"cp{minor}" + ("m" if version < (3, 8) else "")
    ladder = list(tags.cpython_tags(version, [abi], platforms))
    ladder += tags.compatible_tags(version, f"cp{minor}", platforms)
    return [str(tag) for tag in ladder]


DEFAULT_FLOORS = {"linux": "glibc2.28", "macos": "13.0", "windows": ""}


def platform_tags(system):
    os, machine, *floor = system.split("-")
    floor = floor[0] if floor else DEFAULT_FLOORS[os]
    numbers = tuple(int(number) for number in re.findall(r"\d+", floor))
    if os == "windows":
        return [{"x86_64": "win_amd64", "aarch64": "win_arm64"}[machine]]
    if os == "macos":
        return list(tags.mac_platforms(numbers, {"x86_64": "x86_64", "aarch64": "arm64"}[machine]))
    # The library asks the machine that it runs on; here it is told about another one.
    _manylinux._get_glibc_version = lambda: numbers
    _manylinux._have_compatible_abi = lambda executable, archs: True
    _musllinux._get_musl_version = lambda executable: _musllinux._MuslVersion(*numbers)
    library = _musllinux if floor.startswith("musl") else _manylinux
    return [f"linux_{machine}", *library.platform_tags([machine])]
