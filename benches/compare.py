#!/usr/bin/env python3
"""pinfold against uv on this machine: one command that prints a Markdown table.

    python3 benches/compare.py --python PYTHON3.10 [--set fooocus|small] [--rounds N] [--work bench-work] [--cases …] [--live]

Both get the same requirements, the same cutoff and the same index: `mirror.py` on loopback, filled once with the real
pages and wheels through the index that pip is configured with, then offline. uv is installed by pip from that index into
an environment of its own. Nothing else is downloaded and nothing is written outside of the work directory. With `--live`
both ask that index itself, and only `lock-cold` is measured: what the network adds is part of it.

`sync-one` finds an environment in which one package, which is in the store, has another version; it is the first change of
that environment. `sync-one-again` is the sixth: by then pinfold's history is full (`--keep 3`), and what has left it serves
as the beginning of the next environment, as in every later change. Below the table: a copy of the environment by hard links
(`cp -al`), the bound of a warm sync. `verify` has a benchmark of its own (`benches/verify.rs`).

`lock-warm` is three targets against uv's universal mode; `lock-warm-single` is three targets against uv's single mode,
`lock-warm-one` one target against the same; `lock-no-op` finds a lock in place that is current.

How it measures: in each round the two run one after the other, in random order, in fresh directories; before each run
3 GiB of memory are touched and freed, because memory that the host took back makes whoever comes first slow, and before a
`sync-cold` everything that the index serves is read, because the disk may be slower than both tools. Nothing is
deleted until the end, because mass deletion slows down whoever creates files next. Wall time, CPU time (user + system of
the process and its children, from wait4) and peak memory (the biggest process) are compared within a round; the table
has medians, and the median ratio with the smallest and the biggest ratio of all rounds. Below 1 pinfold needs less.
"""
import argparse
import mmap
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CUTOFF = "2024-08-20T00:00:00Z"
TARGETS = ["linux-x86_64", "windows-x86_64", "macos-aarch64"]
CASES = ["lock-cold", "lock-warm", "lock-warm-single", "lock-warm-one", "lock-no-op", "sync-cold", "sync-warm", "sync-one",
         "sync-one-again", "sync-no-op"]
# How many syncs, of the two locks in turn, go before the one that is measured.
SYNCS_BEFORE = {"sync-one": 1, "sync-one-again": 5}
# The package that these change, and to what.
CHANGED = ("pillow", "10.3.0")
SMALL = ["numpy==1.26.4", "scipy==1.14.0", "opencv-contrib-python-headless==4.10.0.84"]
EXCLUDED = ["opencv-python", "opencv-python-headless"]
BUILT = ["antlr4-python3-runtime", "groundingdino-py"]
FORGET_SECONDS = 65
PREWARM_BYTES = 3 << 30
NETWORK = ["SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"]


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.work = os.path.abspath(arguments.work)
        self.url = live_url() if arguments.live else "http://127.0.0.1:%d/simple/" % arguments.port
        self.project, self.other = (self.path("project-" + arguments.set + end) for end in ("", "-other"))
        self.count = 0
        self.mirror = None

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def fresh(self, name):
        """Returns the path of a directory that did not exist before."""
        self.count += 1
        return self.path("runs", "%d-%d-%s" % (os.getpid(), self.count, name))

    # ---- set-up

    def set_up(self):
        for directory in (self.project, self.other, self.path("runs")):
            os.makedirs(directory, exist_ok=True)
        os.makedirs(self.path("home"), exist_ok=True)
        self.uv = self.path("uv", "bin", "uv")
        if not os.path.exists(self.uv):
            say("installing uv into an environment of its own")
            subprocess.run([sys.executable, "-m", "venv", self.path("uv")], check=True)
            pip = [self.path("uv", "bin", "python"), "-m", "pip", "install", "--quiet", "uv"]
            subprocess.run(pip + (["uv==" + self.arguments.uv] if self.arguments.uv else []), check=True)
        self.pinfold = self.arguments.pinfold
        if not self.pinfold:
            say("building pinfold, release")
            subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "pinfold"], cwd=ROOT, check=True)
            self.pinfold = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "pinfold")
        self.pinfold = os.path.abspath(self.pinfold)
        requirements = self.requirements()
        self.write_inputs(self.project, requirements)
        self.write_inputs(self.other, ["==".join(CHANGED) if line.startswith(CHANGED[0]) else line for line in requirements])

    def requirements(self):
        if self.arguments.set == "small":
            return SMALL
        requirements = []
        for name in ("requirements_docker.txt", "requirements_versions.txt"):
            with open(os.path.join(ROOT, "examples", "fooocus", name)) as file:
                requirements += [line.strip() for line in file if line.strip() and not line.startswith("#")]
        return requirements

    def write_inputs(self, directory, requirements):
        manifest = ["[project]", 'name = "bench"', 'requires-python = ">=3.10,<3.11"', "dependencies = ["]
        manifest += ["    %s," % quote(line) for line in requirements]
        manifest += ["]", 'exclude-newer = "%s"' % CUTOFF, "targets = [%s]" % ", ".join(map(quote, TARGETS))]
        if self.arguments.set == "fooocus":
            manifest += ["build = [%s]" % ", ".join(map(quote, BUILT)), "exclude = [%s]" % ", ".join(map(quote, EXCLUDED))]
        manifest += ["", "[[index]]", 'name = "main"', 'url = "%s"' % self.url, "default = true"]
        manifest += ["", self.accepted()]
        write(os.path.join(directory, "pinfold.toml"), "\n".join(manifest) + "\n")
        write(os.path.join(directory, "requirements.in"), "\n".join(requirements) + "\n")
        write(os.path.join(directory, "excludes.txt"), "".join(name + "\n" for name in EXCLUDED))

    def accepted(self):
        """Returns the `[[accept]]` entries of the example's manifest: start-up files that its maintainer has looked at."""
        with open(os.path.join(ROOT, "examples", "fooocus", "pinfold.toml")) as file:
            text = file.read()
        return "\n".join("[[accept]]" + entry.partition("\n[")[0] for entry in text.split("\n[[accept]]")[1:])

    def start_mirror(self, *options):
        self.stop_mirror()
        command = [sys.executable, os.path.join(HERE, "mirror.py"), "--listen", "127.0.0.1:%d" % self.arguments.port]
        command += ["--work", self.path("mirror"), "--hold-ms", str(self.arguments.hold_ms), *options]
        self.mirror = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.arguments.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the mirror did not start")

    def stop_mirror(self):
        if self.mirror:
            self.mirror.terminate()
            self.mirror.wait()
            self.mirror = None

    # ---- the commands, as a user would type them

    def environment(self, cache):
        return {"PATH": os.environ["PATH"], "HOME": self.path("home"), "LC_ALL": "C", "PINFOLD_CACHE_DIR": cache,
                "UV_CACHE_DIR": cache, "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1",
                "PINFOLD_NO_PROGRESS": "true",
                **{name: os.environ[name] for name in NETWORK if self.arguments.live and name in os.environ}}

    def lock(self, tool, cache, output, case="lock", project=None):
        project = project or self.project
        if tool == "pinfold":
            one = ["--target", "linux-x86_64"] if case == "lock-warm-one" else []
            return [self.pinfold, "-C", project, "lock", *one, "--python", self.arguments.python, "-o", output]
        universal = [] if case in ("lock-warm-single", "lock-warm-one") else ["--universal"]
        return [self.uv, "pip", "compile", "--quiet", *universal, "--python-version", "3.10", "--python",
                self.arguments.python, "--exclude-newer", CUTOFF, "--default-index", self.url, "--excludes",
                os.path.join(project, "excludes.txt"), "--format", "pylock.toml", "-o", output,
                os.path.join(project, "requirements.in")]

    def sync(self, tool, lock, venv):
        if tool == "pinfold":
            return [self.pinfold, "-C", self.project, "sync", "--lock", lock, "--venv", venv, "--python", self.arguments.python]
        make = [] if os.path.exists(venv) else [self.uv, "venv", "--quiet", "--python", self.arguments.python, venv, "&&"]
        sync = [self.uv, "pip", "sync", "--quiet", "--preview-features", "pylock", "--exclude-newer", CUTOFF,
                "--default-index", self.url, "--python", os.path.join(venv, "bin", "python"), lock]
        return ["/bin/sh", "-c", " ".join(make + sync)]

    # ---- measuring

    def prepare(self, tool):
        """Fills mirror, cache, lock and environment of a tool; these runs are not measured."""
        cache, lock = self.path("warm-%s-%s" % (self.arguments.set, tool)), self.path("project-" + self.arguments.set, "pylock.%s.toml" % tool)
        venv = self.path("kept-%s-%s" % (self.arguments.set, tool))
        if os.path.exists(lock):
            os.unlink(lock)
        for case in ["lock", "lock", "lock"] + [case for case in self.arguments.cases if case.startswith("lock-warm-")]:
            # Twice with the lock in place: what is known of a current lock is warm too.
            output = lock if case == "lock" else self.path("project-" + self.arguments.set, "pylock.%s-%s.toml" % (tool, case))
            self.run(self.lock(tool, cache, output, case), cache)
        if any(case.startswith("sync") for case in self.arguments.cases):
            self.run(self.sync(tool, lock, venv), cache)
        other = os.path.join(self.other, "pylock.%s.toml" % tool)
        if SYNCS_BEFORE.keys() & set(self.arguments.cases):
            if os.path.exists(other):
                os.unlink(other)
            self.run(self.lock(tool, cache, other, project=self.other), cache)
            self.run(self.sync(tool, other, self.fresh(tool + "-venv")), cache)
        return {"cache": cache, "lock": lock, "venv": venv, "other": other}

    def measure(self, tool, case, warm):
        """Runs one case once; returns wall seconds, CPU seconds, MiB."""
        cache = self.fresh(tool + "-cache") if case.endswith("cold") else warm["cache"]
        if case == "sync-cold":
            self.read_mirror()
        if case == "lock-no-op":
            return self.run(self.lock(tool, cache, warm["lock"]), cache)
        if case.startswith("lock"):
            directory = self.fresh("out")
            os.makedirs(directory)
            return self.run(self.lock(tool, cache, os.path.join(directory, "pylock.toml"), case), cache)
        venv = warm["venv"] if case == "sync-no-op" else self.fresh(tool + "-venv")
        for number in range(SYNCS_BEFORE.get(case, 0)):
            self.run(self.sync(tool, warm["lock" if number % 2 else "other"], venv), cache)
        return self.run(self.sync(tool, warm["lock"], venv), cache)

    def read_mirror(self):
        """Reads what the index serves, so that none of the tools waits for the index's disk."""
        block = bytearray(1 << 20)
        for at, _, names in os.walk(self.path("mirror")):
            for name in names:
                with open(os.path.join(at, name), "rb", buffering=0) as file:
                    while file.readinto(block):
                        pass

    def run(self, command, cache):
        prewarm()
        with open(self.path("last-output"), "w+b") as output:
            begin = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       env=self.environment(cache), cwd=self.project)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                output.seek(0)
                raise SystemExit("`%s` ended with %d:\n%s" % (
                    " ".join(command), process.returncode, output.read()[-4000:].decode(errors="replace")))
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def compare(self):
        tools = ["pinfold", "uv"]
        if self.arguments.live:
            warm = {tool: {} for tool in tools}
        else:
            self.start_mirror()
            say("filling the mirror (the first time this downloads the real wheels)")
            warm = {tool: self.prepare(tool) for tool in tools}
            self.start_mirror("--offline")
        if any(case.startswith("sync") for case in self.arguments.cases):
            self.forget()
        results = {case: [] for case in self.arguments.cases}
        for number in range(self.arguments.rounds):
            order = [(case, random.sample(tools, 2)) for case in self.arguments.cases]
            random.shuffle(order)
            for case, pair in order:
                self.check_space(case)
                say("round %d of %d: %s" % (number + 1, self.arguments.rounds, case))
                results[case].append({tool: self.measure(tool, case, warm[tool]) for tool in pair})
                if case == "sync-cold":
                    self.forget()
        return results, warm

    def forget(self):
        """Removes what was made for the runs so far, and waits until the file system has forgotten the removed files.

        Of a number that belonged to a file a minute ago, ext4 makes no new one: it passes over all of these, one by one, for
        each file that is made. A cold sync after a removal took a third of its processor time for that, of either tool."""
        self.clean()
        os.makedirs(self.path("runs"), exist_ok=True)
        os.sync()
        say("waiting until the removed files are forgotten")
        time.sleep(FORGET_SECONDS)

    def check_space(self, case):
        if case == "sync-cold" and shutil.disk_usage(self.work).free < self.arguments.keep_free << 30:
            raise SystemExit("less than %d GiB free in the work directory; use fewer rounds" % self.arguments.keep_free)

    def report(self, results):
        version = lambda command: subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        print("`%s`\n" % " ".join(["python3 benches/compare.py", *self.told()]))
        print("%s against %s; %s, %d cores, %s; load %.1f; %d rounds; Python %s\n" % (
            version([self.pinfold, "--version"]), version([self.uv, "--version"]), platform.machine(), os.cpu_count(),
            memory(), os.getloadavg()[0], self.arguments.rounds,
            version([self.arguments.python, "-c", "import platform; print(platform.python_version())"])))
        print("| case | pinfold wall | uv wall | wall ratio | pinfold CPU | uv CPU | CPU ratio | pinfold peak | uv peak | memory ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for case, rounds in results.items():
            cells = [case]
            for position, form in enumerate(["%.3f s", "%.3f s", "%.0f MiB"]):
                pairs = [(row["pinfold"][position], row["uv"][position]) for row in rounds]
                ratios = [own / other for own, other in pairs if other > 0]
                cells += [form % statistics.median(own for own, _ in pairs), form % statistics.median(other for _, other in pairs)]
                cells.append("**%.2f** (%.2f–%.2f)" % (statistics.median(ratios), min(ratios), max(ratios)))
            print("| %s |" % " | ".join(cells))

    def report_limit(self, warm):
        """Prints what bounds a warm sync."""
        seconds = [self.run(["cp", "-al", warm["venv"], self.fresh("copy")], warm["cache"])[0] for _ in range(3)]
        print("\n`cp -al` of the environment, which only links: %.3f s." % statistics.median(seconds))

    def told(self):
        """Returns the arguments without paths of this machine."""
        told = ["--set", self.arguments.set, "--rounds", str(self.arguments.rounds), "--python", "PYTHON"]
        told += ["--hold-ms", str(self.arguments.hold_ms)] if self.arguments.hold_ms else []
        told += ["--live"] if self.arguments.live else []
        return told + (["--cases", *self.arguments.cases] if self.arguments.cases != CASES and not self.arguments.live else [])

    def clean(self):
        shutil.rmtree(self.path("runs"), ignore_errors=True)


def live_url():
    """Returns the index that pip is set up with; it is written nowhere but into the work directory."""
    code = "from pip._internal.commands import create_command as c; print(c('install').parser.get_default_values().index_url)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return asked.stdout.strip().rstrip("/") + "/"


def prewarm():
    """Touches and frees memory in a child, so that the run that follows finds pages that the host has given back."""
    if os.fork() == 0:
        block = mmap.mmap(-1, PREWARM_BYTES)
        filler = b"\1" * (1 << 20)
        for _ in range(PREWARM_BYTES >> 20):
            block.write(filler)
        os._exit(0)
    os.wait()


def memory():
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return "%d GiB" % round(pages * size / (1 << 30))


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def say(text):
    print("compare: " + text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python 3.10 to install for")
    parser.add_argument("--set", choices=["fooocus", "small"], default="fooocus", help="small: numpy, scipy, opencv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--work", default=os.path.join(ROOT, "bench-work"), help="everything is kept there")
    parser.add_argument("--pinfold", help="the binary; built from here if not given")
    parser.add_argument("--uv", metavar="VERSION", help="the version of uv; the newest if not given")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--hold-ms", type=float, default=0, help="hold each answer of the index back: a far-away index")
    parser.add_argument("--keep-free", type=int, default=12, metavar="GIB", help="stop before the disk has less free")
    parser.add_argument("--live", action="store_true", help="lock-cold against the index that pip is configured with")
    arguments = parser.parse_args()
    if arguments.live:
        arguments.cases = ["lock-cold"]
    bench = Bench(arguments)
    bench.set_up()
    try:
        results, warm = bench.compare()
        bench.report(results)
        if any(case.startswith("sync") for case in arguments.cases):
            bench.report_limit(warm["pinfold"])
    finally:
        bench.stop_mirror()
        bench.clean()


if __name__ == "__main__":
    main()
