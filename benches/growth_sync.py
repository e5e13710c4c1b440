"""How the time of `pinfold sync` grows: by the number of files of 20 packages, and by the number of packages of 20 files.

    cargo build --release -p pinfold
    python3 benches/growth_sync.py target/release/pinfold [--svg docs/growth-sync.svg] [--runs 3] [--largest 30000]
    python3 benches/growth_sync.py target/release/pinfold --memory

The wheels are made up, the same on every machine, and served on loopback by this script. Measured are a cold store (everything is
fetched, checked, unpacked and linked), a warm one (a new environment of what the store has) and a run that finds nothing to do. The
time is that of the processor, children included, so that other work on the machine does not count; the wall's is printed beside it.
Nothing is compared with other tools here: `compare.py` does that.

With `--memory` it is peak memory that is measured, of a cold sync of one wheel with one file that gets bigger and bigger: it must not grow.
"""

import argparse
import base64
import contextlib
import functools
import hashlib
import http.server
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

FILE_BYTES = 2048
PACKAGES = 20
FILES = 20
KINDS = ["cold", "warm", "nothing"]
WORDS = {"cold": "cold store", "warm": "warm store", "nothing": "nothing to do"}


def row(path, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def big_wheel(directory, name, mebibytes):
    """Writes a wheel with one big file, which deflates to about three quarters."""
    info, path = f"{name}-1.0.dist-info", directory / f"{name}-1.0-py3-none-any.whl"
    block = base64.b64encode(hashlib.shake_256(b"block").digest(3 << 18))
    digest = hashlib.sha256()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        told = zipfile.ZipInfo(f"{name}/big.bin", (2024, 1, 1, 0, 0, 0))
        told.compress_type, told.file_size = zipfile.ZIP_DEFLATED, mebibytes << 20
        with archive.open(told, "w") as member:
            for _ in range(mebibytes):
                member.write(block)
                digest.update(block)
        others = {f"{name}/__init__.py": b"",
                  f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
                  f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: growth\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        big = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        record = f"{name}/big.bin,sha256={big},{mebibytes << 20}\n" + "".join(row(path, data) for path, data in others.items())
        for member, data in {**others, f"{info}/RECORD": (record + f"{info}/RECORD,,\n").encode()}.items():
            archive.writestr(zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0)), data)


def wheel(directory, name, files):
    """Writes a wheel whose files are spread over directories of fifty."""
    info = f"{name}-1.0.dist-info"
    members = {f"{name}/__init__.py": b""}
    for number in range(files):
        text = f"# {name} {number}\n" + "".join(f"x{line} = {line * 7919 + number}\n" for line in range(FILE_BYTES // 16))
        members[f"{name}/part{number // 50}/module{number}.py"] = text.encode()[:FILE_BYTES - 1] + b"\n"
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: growth\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(row(path, data) for path, data in members.items()) + f"{info}/RECORD,,\n"
    members[f"{info}/RECORD"] = record.encode()
    path = directory / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return path


def index(root, packages, files):
    """Writes an index of so many packages that have so many files together."""
    names = [f"package{number}" for number in range(packages)]
    for position, name in enumerate(names):
        share = files // packages + (position < files % packages)
        publish(root, name, lambda page: wheel(page, name, share))
    return names


def publish(root, name, write):
    """Writes a project's page, and the one wheel on it."""
    page = root / "simple" / name
    page.mkdir(parents=True)
    write(page)
    path, = page.iterdir()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    (page / "index.html").write_text(f'<!DOCTYPE html><a href="{path.name}#sha256={digest}">{path.name}</a>\n')


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that hangs up is no news."""


def serve(root):
    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def timed(command, environment):
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


@contextlib.contextmanager
def project(pinfold, write):
    """Makes a locked project of what `write` publishes; yields its directory, the command as far as the cache, and its environment."""
    with tempfile.TemporaryDirectory(prefix="growth-", ignore_cleanup_errors=True) as place:
        place = pathlib.Path(place)
        names = write(place / "index")
        server = serve(place / "index")
        minor = "%d.%d" % sys.version_info[:2]
        (place / "pinfold.toml").write_text(
            f'[project]\nname = "growth"\nrequires-python = "=={minor}.*"\ndependencies = {names}\n'.replace("'", '"')
            + f'[[index]]\nname = "main"\nurl = "http://127.0.0.1:{server.server_port}/simple/"\ndefault = true\n')
        environment = {"PATH": os.environ["PATH"], "HOME": str(place)}
        tool = [pinfold, "-C", str(place), "--quiet", "--cache-dir"]
        timed([*tool, str(place / "cache"), "lock"], environment)
        yield place, tool, environment
        server.shutdown()
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)


def peak_memory(pinfold, mebibytes):
    """Returns the peak memory, in MiB, of a cold sync of one wheel with one file of that size."""
    def write(root):
        publish(root, "big", lambda page: big_wheel(page, "big", mebibytes))
        return ["big"]

    with project(pinfold, write) as (place, tool, environment):
        command = [*tool, str(place / "cold"), "sync", "--python", sys.executable]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed with {process.returncode}")
        return usage.ru_maxrss / 1024


def measure(pinfold, packages, files, runs):
    """Returns the medians of processor and wall time of each kind. Each run has directories of its own, removed at the very end."""
    taken = {kind: [] for kind in KINDS}
    with project(pinfold, lambda root: index(root, packages, files)) as (place, tool, environment):
        for run in range(runs):
            cache = str(place / f"cache{run}")
            for kind, venv in [("cold", "one"), ("warm", "two"), ("nothing", "two")]:
                sync = [*tool, cache, "sync", "--python", sys.executable, "--venv", str(place / f"{venv}{run}")]
                taken[kind].append(timed(sync, environment))
    return {kind: tuple(statistics.median(values) for values in zip(*times)) for kind, times in taken.items()}


def table(pinfold, sizes, runs, of):
    rows = []
    for size in sizes:
        packages, files = of(size)
        found = measure(pinfold, packages, files, runs)
        cells = " ".join(f"{found[kind][0]:9.3f} ({found[kind][1]:7.3f})" for kind in KINDS)
        print(f"{packages:9,} {files:9,} {cells}", flush=True)
        rows.append((size, {kind: found[kind][0] for kind in KINDS}))
    return rows


def panel(rows, left, label):
    """Draws one set of series: size across, processor time upwards, both logarithmic."""
    from math import ceil, floor, log10

    width, top, bottom = 280, 40, 330
    times = [log10(max(value, 0.001)) for _, found in rows for value in found.values()]
    low, high = floor(min(times)), max(ceil(max(times)), floor(min(times)) + 1)
    first, last = log10(rows[0][0]), log10(rows[-1][0])
    x = lambda size: left + (log10(size) - first) / (last - first) * width
    y = lambda seconds: bottom - (log10(max(seconds, 0.001)) - low) / (high - low) * (bottom - top)
    out = []
    for size, _ in rows:
        out.append(f'<line class="grid" x1="{x(size):.1f}" y1="{top}" x2="{x(size):.1f}" y2="{bottom}"/>')
        out.append(f'<text x="{x(size):.1f}" y="{bottom + 18}" text-anchor="middle">{size:,}</text>')
    for decade in range(low, high + 1):
        at = y(10.0 ** decade)
        out.append(f'<line class="grid" x1="{left}" y1="{at:.1f}" x2="{left + width}" y2="{at:.1f}"/>')
        words = f"{10 ** decade} s" if decade >= 0 else f"{round(1000 * 10.0 ** decade)} ms"
        out.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{words}</text>')
    for kind in KINDS:
        points = [(x(size), y(found[kind])) for size, found in rows]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        out.append(f'<polyline class="{kind}" stroke-width="2" points="{path}"/>')
        out += [f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in points]
    start = rows[len(rows) // 2]
    end = min(rows[-1][0], start[0] * 10.0 ** high / max(start[1]["warm"], 0.001))
    out.append(f'<line class="linear" x1="{x(start[0]):.1f}" y1="{y(start[1]["warm"]):.1f}" x2="{x(end):.1f}" '
               f'y2="{y(start[1]["warm"] * end / start[0]):.1f}"/>')
    out.append(f'<text x="{left + width / 2}" y="{bottom + 40}" text-anchor="middle">{label}</text>')
    return out


def plot(by_files, by_packages):
    colours = {"cold": ("#c2410c", "#fb923c"), "warm": ("#1d4ed8", "#60a5fa"), "nothing": ("#15803d", "#4ade80")}
    style = "".join(f".{kind} {{ stroke: {light}; fill: none }} circle.{kind} {{ fill: {light} }}\n" for kind, (light, _) in colours.items())
    dark = "".join(f".{kind} {{ stroke: {shade}; fill: none }} circle.{kind} {{ fill: {shade} }}\n" for kind, (_, shade) in colours.items())
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 400" font-family="sans-serif" font-size="12">',
           "<title>Processor time of sync, by number of files and of packages</title>",
           "<style>\ntext { fill: #333 } .grid { stroke: #ccc } .linear { stroke: #999; stroke-dasharray: 5 4 }\n" + style,
           "@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .linear { stroke: #777 }\n" + dark + "}\n</style>"]
    for position, kind in enumerate(KINDS):
        out.append(f'<circle class="{kind}" cx="{80 + 150 * position}" cy="18" r="4"/>')
        out.append(f'<text x="{90 + 150 * position}" y="22">{WORDS[kind]}</text>')
    out.append('<line class="linear" x1="530" y1="18" x2="560" y2="18"/><text x="566" y="22">linear</text>')
    out += panel(by_files, 70, f"files of {PACKAGES} packages")
    out += panel(by_packages, 440, f"packages of {FILES} files")
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pinfold")
    parser.add_argument("--svg")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--largest", type=int, default=30000, help="files of the largest set")
    parser.add_argument("--memory", action="store_true", help="measure peak memory by the size of one file, and nothing else")
    given = parser.parse_args()
    pinfold = str(pathlib.Path(given.pinfold).resolve())
    if given.memory:
        for mebibytes in (16, 128, 1024, 3072):
            print(f"{mebibytes:9,} MiB in one file: peak of {peak_memory(pinfold, mebibytes):4.0f} MiB", flush=True)
        return
    sizes = [size for size in (100, 300, 1000, 3000, 10000, 30000) if size <= given.largest]
    print(f"{'packages':>9} {'files':>9} " + " ".join(f"{WORDS[kind]:>19}" for kind in KINDS) + "   processor (wall) seconds")
    by_files = table(pinfold, sizes, given.runs, lambda size: (PACKAGES, size))
    most = [size for size in (10, 30, 100, 300, 1000) if size * FILES <= given.largest]
    by_packages = table(pinfold, most, given.runs, lambda size: (size, size * FILES))
    if given.svg:
        pathlib.Path(given.svg).write_text(plot(by_files, by_packages))


if __name__ == "__main__":
    main()
