"""The differences that are meant, each with its reason in docs/differential.md: a name, and which answers it covers."""

import itertools
import re
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from packaging.version import Version

from answers import READINGS, read_otherwise
from questions import every_environment


def refuses(asks, *reasons):
    """Only pinfold refuses, for one of these reasons."""
    def belongs(question, our, their):
        error = our.get("error", "") if isinstance(our, dict) else ""
        return question["ask"] in asks and any(reason in error for reason in reasons)
    return belongs


def reads(*names):
    """The library gives our answers about a marker if it reads some comparisons as we do, and not if fewer."""
    return lambda question, our, their: question["ask"] == "marker" and read_otherwise(question, names) == our


def arbitrary_equality(question, our, their):
    """`===1.0` accepts `1.0.0` and `v1.0` too: spellings of one version are one version."""
    if question["ask"] != "specifiers" or "===" not in question["text"] or "error" in our or "error" in their:
        return False
    pinned = {Version(clause.strip(" =")) for clause in question["text"].split(",") if "===" in clause}
    answers = zip(question["versions"], our["contains"], their["contains"])
    return said_once(our) == said_once(their) and all(
        ours == theirs or ours and pinned == {Version(version)} for version, ours, theirs in answers)


def end_of_arbitrary(question, our, their):
    """In a requirement the library's `===` takes a comma for a part of the version; in its specifiers it does not."""
    return question["ask"] == "requirement" and re.search(r"===[^;]*,", question["text"]) and "error" in their \
        and "error" not in our


def always_true(question, our, their):
    """A marker that holds everywhere is no marker any more."""
    if question["ask"] != "requirement" or "marker" not in our or {**our, "marker": True} != their:
        return False
    marker = dict(text=question["text"].partition(";")[2], environments=every_environment())
    return all(read_otherwise(marker, READINGS) + [True])


def turned_prerelease(question, our, their):
    """`'3.9.dev0' < python_version` says the same as `python_version > '3.9.dev0'`."""
    turn = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    text = re.sub(r"(['\"])(3\.9\.dev0|3\.11\.0a7)\1 *([<>]=?) *(\w+)",
                  lambda found: f"{found[4]} {turn[found[3]]} '{found[2]}'", question.get("text", ""))
    return question["ask"] == "marker" and text != question["text"] and read_otherwise({**question, "text": text}, READINGS) == our


def url_spelling(question, our, their):
    """A URL is written as it is sent: host in lower case, some characters encoded, a slash after the host."""
    if question["ask"] != "requirement" or not our.get("url") or {**our, "url": their.get("url")} != their:
        return False
    plain = lambda url: unquote(url).lower().replace("/", "")
    return plain(our["url"]) == plain(their["url"]) or not their["url"].isascii()


def one_spelling(question, our, their):
    """`>1,>1.0` says one thing twice, and is kept once."""
    if question["ask"] not in ("requirement", "specifiers") or "specifiers" not in our or "specifiers" not in their:
        return False
    return {**our, "specifiers": []} == {**their, "specifiers": []} and said_once(our) == said_once(their)


def said_once(answer):
    """Returns the clauses, those that say one thing once."""
    return {clause if "~=" in clause or "*" in clause else trimmed(clause) for clause in answer["specifiers"]}


def trimmed(clause):
    """Returns the clause without zeros at the end of its version's release."""
    sign = clause[: len(clause) - len(clause.lstrip("<>=!~"))]
    version = Version(clause.removeprefix(sign))
    release = list(version.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    return sign + str(version.__replace__(release=tuple(release)))


def linux_last(question, our, their):
    """`linux_x86_64` comes after the tags that say which libc a wheel needs."""
    machine = "linux_" + question.get("system", "-").split("-")[1]
    key = lambda tag: (tag.split("-")[:2], tag.endswith(machine))
    if question["ask"] != "tags":
        return False
    groups = [list(group) for _, group in itertools.groupby(their, lambda tag: tag.split("-")[:2])]
    return our == [tag for group in groups for tag in sorted(group, key=lambda tag: tag.endswith("-" + machine))]


def known_project(question, our, their):
    """The page's project tells where a name ends, not the last hyphen: an old version may have hyphens of its own."""
    if question["ask"] != "sdist":
        return False
    stem, project = question["text"].removesuffix(".zip").removesuffix(".tar.gz"), canonicalize_name(question["project"])
    cuts = [at for at, found in enumerate(stem) if found == "-" and canonicalize_name(stem[:at]) == project]
    return cuts and "-" in stem[cuts[0] + 1:] and ("name" not in their or their["name"].startswith(project + "-"))


def old_wheel_version(question, our, their):
    """`1.0_1` in the name of an old wheel is the post-release `1.0-1`."""
    version = question["text"].split("-")[1] if question["ask"] == "wheel" and question["text"].count("-") > 3 else ""
    return "version" in our and "_" in version and our["version"] == str(Version(version.replace("_", "-"))) \
        and "invalid version" in their.get("error", "")


DIFFERENCES = [
    ("always-true", always_true),
    ("arbitrary-equality", arbitrary_equality),
    ("characters", lambda question, our, their: re.search(r"[^ -~]", question.get("text", "")) and refuses(
        ("marker", "requirement", "specifiers"), "does not belong into a requirement", "must begin with one of", "is no version")(
            question, our, their)),
    ("digits", refuses(("order", "requirement", "sdist", "specifiers", "version", "wheel"), "more than 15 digits")),
    ("end-of-arbitrary", end_of_arbitrary),
    ("file-name-character", refuses(("sdist", "wheel"), "does not belong into the file name", "has the tag", "is no file name")),
    ("foreign-project", refuses(("sdist",), "is a file of")),
    ("known-project", known_project),
    ("linux-last", linux_last),
    ("marker-quotes", refuses(("marker", "requirement"), "does not belong into a quoted value")),
    ("marker-strict", refuses(("marker", "requirement"), "`===` in a marker", "the variable must stand before", "is no version",
                              "`~=` needs", "`~=` compares versions", "`.*` goes with", "`.*` follows", "no Python has",
                              "`extra` is compared with", "a local version", "in which nothing can be looked for", "another separator than blanks", "must begin with one of")),
    ("name-edge", refuses(("marker", "requirement", "wheel"), "is no name", "which is no project name")),
    ("old-wheel-version", old_wheel_version),
    ("one-spelling", one_spelling),
    ("release-is-text", reads("release-is-text")),
    ("stray-comma", lambda question, our, their: re.search(r"^ *,|, *,|, *$", question.get("text", "")) and refuses(
        ("specifiers",), "must begin with one of")(question, our, their)),
    ("turned-prerelease", turned_prerelease),
    ("url", refuses(("requirement",), "not a URL", "put a blank before", "no host", "is not allowed", "user name or password")),
    ("url-spelling", url_spelling),
    ("version-list", reads("version-list")),
    ("several-readings", reads(*READINGS)),
]
