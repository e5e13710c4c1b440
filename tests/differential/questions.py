"""Random questions: texts as people and tools write them, and texts that are nearly so."""

import random

NUMBERS = ["0", "1", "2", "3", "9", "10", "11", "12", "007", "2024", "20240131", "999999999999999"]
SMALL = ["0", "1", "2", "3", "10"]
NAMES = ["a", "A", "foo", "Foo.Bar", "foo_bar", "foo--bar", "zope.interface", "a1", "1a", "x-y_z", "typing.extensions"]
EXTRAS = ["test", "Dev", "a_b", "a.b", "x1"]
SYSTEMS = [
    dict(os_name="posix", sys_platform="linux", platform_system="Linux", platform_machine="x86_64"),
    dict(os_name="posix", sys_platform="darwin", platform_system="Darwin", platform_machine="arm64"),
    dict(os_name="nt", sys_platform="win32", platform_system="Windows", platform_machine="AMD64"),
]
PYTHONS = ["3.8.0", "3.9.20", "3.10.0", "3.10.7", "3.11.2", "3.12.0", "3.13.5"]
TEXT_VALUES = {
    "os_name": ["posix", "nt", "java", "os", ""],
    "sys_platform": ["linux", "win32", "darwin", "linux2", "win", "in"],
    "platform_machine": ["x86_64", "AMD64", "arm64", "aarch64", "64"],
    "platform_system": ["Linux", "Windows", "Darwin", "Win"],
    "platform_python_implementation": ["CPython", "PyPy", "Python"],
    "implementation_name": ["cpython", "pypy", "py"],
    "platform_release": ["6.1.0", "10", "5.10-amd64", "6", ""],
    "platform_version": ["#1 SMP", "10.0.19045", "SMP", "1"],
}
VERSION_VARIABLES = ["python_version", "python_full_version", "implementation_version"]
OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "~=", "==="]
SYSTEM_FLOORS = ["linux-x86_64", "linux-aarch64", "linux-x86_64-glibc2.17", "linux-aarch64-glibc2.34", "linux-x86_64-musl1.2",
                 "linux-aarch64-musl1.1", "windows-x86_64", "windows-aarch64", "macos-aarch64", "macos-x86_64",
                 "macos-aarch64-11.0", "macos-x86_64-10.15", "macos-x86_64-14.0"]


def every_environment():
    """Returns every interpreter on every system, with and without an extra."""
    return [dict(system, python_full_version=python, python_version=python.rpartition(".")[0], implementation_version=python,
                 implementation_name="cpython", platform_python_implementation="CPython", extra=extra, platform_release=release,
                 platform_version="#1 SMP")
            for system in SYSTEMS for python in PYTHONS for extra in ("", "test", "dev", "a-b") for release in ("6.1.0", "10")]


class Questions:
    """Makes questions from a seed; the same seed makes the same questions."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kinds = [(self.version, 15), (self.order, 15), (self.specifiers, 25), (self.requirement, 10), (self.marker, 20),
                      (self.wheel, 8), (self.sdist, 4), (self.name, 3)]

    def all(self, number):
        """Yields every ladder of tags once, then questions of every kind."""
        for system in SYSTEM_FLOORS:
            for minor in range(7, 15):
                yield dict(ask="tags", system=system, python=f"3.{minor}")
        kinds, weights = zip(*self.kinds)
        for _ in range(number):
            yield self.random.choices(kinds, weights)[0]()

    def chance(self, share):
        return self.random.random() < share

    def one(self, choices):
        return self.random.choice(choices)

    def spoiled(self, text, share=0.08):
        """Sometimes changes one character."""
        if not self.chance(share):
            return text
        at = self.random.randrange(len(text) + 1)
        put = self.one(list(" .-_+!*,;()[]'\"@=<>~0aZv\t\né\u0661"))
        return text[:at] + put + text[at + self.random.randrange(2):]

    # Versions.

    def release(self, numbers=NUMBERS):
        return ".".join(self.one(numbers) for _ in range(self.random.choice([1, 2, 2, 2, 3, 3, 4])))

    def version_text(self, numbers=NUMBERS, local=0.15):
        text = (self.one(["v", "V"]) if self.chance(0.03) else "") + (f"{self.one(SMALL)}!" if self.chance(0.06) else "")
        text += self.release(numbers)
        if self.chance(0.25):
            text += self.one(["", ".", "-", "_"]) + self.one(["a", "b", "rc", "alpha", "Beta", "c", "pre", "preview", "RC"])
            text += self.one(["", ".", "-", "_"]) + self.one(SMALL) if self.chance(0.85) else ""
        if self.chance(0.2):
            text += "-" + self.one(SMALL) if self.chance(0.2) else (
                self.one(["", ".", "-", "_"]) + self.one(["post", "rev", "r", "POST"]) + self.one(["", ".", "_", "-"])
                + (self.one(SMALL) if self.chance(0.85) else ""))
        if self.chance(0.2):
            text += self.one(["", ".", "-", "_"]) + self.one(["dev", "DEV"]) + (self.one(SMALL) if self.chance(0.85) else "")
        if self.chance(local):
            text += "+" + self.one([".", "-", "_"]).join(
                self.one(["cu121", "cpu", "1", "02", "0", "l", "ABC", "1a"]) for _ in range(self.random.choice([1, 1, 2])))
        return text

    def version(self):
        text = self.version_text()
        return dict(ask="version", text=self.one([" ", "\t", ""]) + self.spoiled(text) if self.chance(0.05) else self.spoiled(text))

    def order(self):
        """Two versions, most of them close to each other."""
        left = self.version_text(SMALL)
        right = self.version_text(SMALL) if self.chance(0.5) else left + self.one([".0", ".0.0", ".dev0", "a1", ".post0", "+l", "+1"])
        return dict(ask="order", left=left, right=right)

    def clause(self, numbers=SMALL):
        operator = self.one(OPERATORS)
        version = self.version_text(numbers, 0.1)
        star = ".*" if self.chance(0.6 if operator in ("==", "!=") and self.chance(0.4) else 0.02) else ""
        if star and self.chance(0.9):
            version = self.release(numbers)
        return f"{operator}{self.one(['', '', ' '])}{version}{star}"

    def specifiers_text(self, numbers=SMALL):
        return self.one([",", ", ", " ,"]).join(self.clause(numbers) for _ in range(self.random.choice([1, 1, 1, 2, 2, 3])))

    def specifiers(self):
        text = self.spoiled(self.specifiers_text(), 0.04)
        versions = [self.version_text(SMALL) for _ in range(4)]
        # And versions about which the clauses say something.
        for clause in text.split(","):
            bare = clause.strip(" <>=!~").removesuffix(".*")
            versions += [bare + end for end in self.random.sample(
                ["", ".0", ".1", "a1", ".dev0", ".post1", ".post1.dev0", "+l", ".post1+l", "rc1.post1", ".dev1+l"], 4)]
        return dict(ask="specifiers", text=text, versions=versions)

    # Requirements and markers.

    def requirement(self):
        text = self.one(NAMES)
        if self.chance(0.3):
            text += self.one(["", " "]) + "[" + self.one([",", ", ", " , "]).join(self.random.sample(EXTRAS, self.random.choice([0, 1, 1, 2]))) + "]"
        if self.chance(0.1):
            text += " @ " + self.one(["https://files.example/a-1.0.tar.gz", "https://files.example/a.whl#sha256=ab", "http://h.example/x?y=z"]) + " "
        elif self.chance(0.7):
            specifiers = self.specifiers_text()
            text += self.one(["", " "]) + (f"({specifiers})" if self.chance(0.15) else specifiers)
        if self.chance(0.3):
            text += self.one([";", " ; ", "; "]) + self.marker_text(1)
        return dict(ask="requirement", text=self.spoiled(text, 0.1))

    def comparison(self):
        quote = self.one("'\"")
        if self.chance(0.15):
            return f"extra {self.one(['==', '==', '!='])} {quote}{self.one(EXTRAS)}{quote}"
        if self.chance(0.5):
            name = self.one(VERSION_VARIABLES)
            if self.chance(0.12):
                values = " ".join(self.one(["3.8", "3.9", "3.10", "3.11", "3.10.7"]) for _ in range(self.random.choice([1, 2, 3])))
                return f"{name} {self.one(['in', 'not in'])} {quote}{values}{quote}"
            value = self.one(["3", "3.8", "3.9", "3.10", "3.10.0", "3.10.7", "3.11.0a7", "3.12.0", "2.7", "3.*", "3.10.*", "4", "3.11.2.post1", "3.9.dev0"])
            operator = self.one(OPERATORS[:7])
        else:
            name = self.one(list(TEXT_VALUES))
            value = self.one(TEXT_VALUES[name])
            operator = self.one(["==", "==", "!=", "in", "not in", "<", ">="])
        if self.chance(0.2):
            return f"{quote}{value}{quote} {operator} {name}"
        return f"{name} {operator} {quote}{value}{quote}"

    def marker_text(self, depth=2):
        parts = []
        for _ in range(self.random.choice([1, 1, 2, 2, 3])):
            part = f"({self.marker_text(depth - 1)})" if depth and self.chance(0.3) else self.comparison()
            parts += [self.one([" and ", " or "]), part] if parts else [part]
        return "".join(parts)

    def marker(self):
        return dict(ask="marker", text=self.spoiled(self.marker_text(), 0.05),
                    environments=[self.environment() for _ in range(4)])

    def environment(self):
        python = self.one(PYTHONS)
        return dict(
            self.one(SYSTEMS), python_full_version=python, python_version=python.rpartition(".")[0],
            implementation_version=python, implementation_name="cpython", platform_python_implementation="CPython",
            extra=self.one(["", "test", "dev", "a-b"]),
            platform_release=self.one(["6.1.0", "10", "5.10-amd64"]), platform_version=self.one(["#1 SMP", "10.0.19045"]))

    # Names.

    def name(self):
        return dict(ask="name", text=self.spoiled(self.one(NAMES), 0.5))

    def wheel(self):
        version = self.version_text(SMALL, 0.1).replace("-", "_") if self.chance(0.3) else self.release(SMALL)
        build = [self.one(["1", "2build", "0", "10_x", "b1", "1.2"])] if self.chance(0.15) else []
        tags = [self.one(["py3", "py2.py3", "cp311", "cp310.cp311", "CP39", "3cp"]), self.one(["none", "abi3", "cp311", "abi3.none", "cp37m"]),
                self.one(["any", "linux_x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64", "macosx_11_0_arm64", "macosx-11"])]
        text = "-".join([self.one(NAMES).replace("-", "_"), version, *build, *tags]) + ".whl"
        return dict(ask="wheel", text=self.spoiled(text, 0.1))

    def sdist(self):
        project = self.one(NAMES)
        version = self.version_text(SMALL, 0.1) if self.chance(0.3) else self.release(SMALL)
        text = f"{self.one([project, project.lower(), project.replace('-', '_')])}-{version}{self.one(['.tar.gz', '.zip', '.tgz'])}"
        return dict(ask="sdist", text=self.spoiled(text, 0.06), project=project)
