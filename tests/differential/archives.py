"""Random hostile archives, read by pinfold and by `zipfile`: `archives.py MEMBERS [SEED [NUMBER]]`.

First one field of one header of a good wheel is changed at a time: every field of every header and of both kinds of end records, and every number in an
extra field, to every one of some twenty values. Then come random ones: an archive is a good wheel in which a few bytes or fields are changed, a piece is
cut, doubled or put elsewhere, a second directory with an end of its own is hidden in a header, or two wheels are joined. Where pinfold accepts, Python must see the same names, and the same bytes wherever pinfold gives them out.
Where pinfold refuses there is nothing to compare: Python reads much that is no wheel.
"""

import hashlib
import io
import json
import random
import struct
import subprocess
import sys
import zipfile
import zlib

NAMES = ["a/__init__.py", "a/data.txt", "a/b/c.py", "a-1.0.dist-info/METADATA", "a-1.0.dist-info/RECORD"]
VALUES = [0, 1, 2, 3, 5, 8, 9, 20, 45, 0x808, 0x7FFF, 0xFFFF, 0xFFFFFFFF]


def wheel(choose):
    """Returns a good archive: stored and deflated members, in one of the forms that writers use."""
    target = io.BytesIO()
    # A stream that cannot be wound back makes `zipfile` write descriptors.
    sink = Forward(target) if choose.random() < 0.3 else target
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for name in NAMES:
            info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if choose.random() < 0.7 or sink is not target else zipfile.ZIP_STORED
            info.external_attr = choose.choice([0, 0o100644, 0o100755]) << 16
            with archive.open(info, "w", force_zip64=choose.random() < 0.1) as member:
                member.write((name + "\n").encode() * choose.choice([1, 1, 20]))
    archive = bytearray(target.getvalue())
    return widen(choose, archive) if choose.random() < 0.2 else archive


def widen(choose, archive):
    """Writes a zip64 end record and its locator, which some, all or (as `zipfile` does it from 2 GiB on) no numbers of the end record ask for."""
    end = archive.rfind(b"PK\x05\x06")
    count, = struct.unpack_from("<H", archive, end + 10)
    size, start = struct.unpack_from("<II", archive, end + 12)
    wide = wide_end(count, size, start, end)
    asked = choose.choice([(), (8, 10), (12,), (16,), (8, 10, 12, 16)])
    for offset in asked:
        width = 2 if offset < 12 else 4
        archive[end + offset:end + offset + width] = b"\xff" * width
    archive[end:end] = wide
    return archive


def wide_end(count, size, start, place):
    """Returns a zip64 end record that is to stand at `place`, and its locator."""
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    return record + struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1)


class Forward(io.RawIOBase):
    """A sink that only goes forward."""

    def __init__(self, target):
        self.target = target

    def writable(self):
        return True

    def seekable(self):
        return False

    def write(self, data):
        return self.target.write(data)


def headers(archive, signature):
    at = archive.find(signature)
    while at >= 0:
        yield at
        at = archive.find(signature, at + 4)


def change_byte(choose, archive):
    archive[choose.randrange(len(archive))] = choose.choice([0, 1, 0x2F, 0x5C, 0x80, 0xFF, choose.randrange(256)])


# The numbers in each kind of header: signature, then offset and width of every field.
FIELDS = [
    (b"PK\x03\x04", [(0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)]),
    (b"PK\x01\x02", [(0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2),
                     (34, 2), (36, 2), (38, 4), (42, 4)]),
    (b"PK\x05\x06", [(0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]),
    (b"PK\x07\x08", [(0, 4), (4, 4), (8, 4), (12, 4)]),
    (b"PK\x06\x06", [(0, 4), (4, 8), (12, 2), (14, 2), (16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8)]),
    (b"PK\x06\x07", [(0, 4), (4, 4), (8, 8), (16, 4)]),
]
# The headers that have extra fields: signature, where the length of the name stands, and where the name begins.
WITH_EXTRA = [(b"PK\x03\x04", 26, 30), (b"PK\x01\x02", 28, 46)]


def extra_numbers(archive):
    """Yields offset and width of every number in the extra fields of every header: kind, length, and its contents by eights."""
    for signature, lengths, fixed in WITH_EXTRA:
        for header in headers(archive, signature):
            if header + fixed > len(archive):
                continue
            name, extra = struct.unpack_from("<HH", archive, header + lengths)
            at, end = header + fixed + name, min(header + fixed + name + extra, len(archive))
            while at + 4 <= end:
                length, = struct.unpack_from("<H", archive, at + 2)
                yield from [(at, 2), (at + 2, 2)]
                yield from ((number, 8) for number in range(at + 4, min(at + 4 + length, end) - 7, 8))
                at += 4 + length


def numbers(archive):
    """Yields offset and width of every number in every header."""
    for signature, fields in FIELDS:
        for at in headers(archive, signature):
            yield from ((at + offset, width) for offset, width in fields if at + offset + width <= len(archive))
    yield from extra_numbers(archive)


def each_field(archive):
    """Yields the archive with one field of one header changed, for every field, header and value."""
    for at, width in numbers(archive):
        field = slice(at, at + width)
        old = int.from_bytes(archive[field], "little")
        values = {value % (1 << 8 * width) for value in [*VALUES, old + 1, old - 1, *(old ^ (1 << bit) for bit in range(8 * width))]}
        for value in sorted(values - {old}):
            changed = bytearray(archive)
            changed[field] = value.to_bytes(width, "little")
            yield bytes(changed)


def systematic():
    """One field at a time over good wheels in the forms that writers use: plain, with descriptors, with zip64, with a zip64 end."""
    for seed in range(6):
        choose = random.Random(seed)
        yield from each_field(wheel(choose))
    for seed in range(4):
        choose = random.Random(seed)
        yield from each_field(widen(choose, wheel(choose)))


def change_field(choose, archive):
    """Changes a number in a header, in an extra field, or in one of the end records."""
    # Each kind of header as often as the others: an archive has many of one kind and one of another.
    kinds = [[(at + offset, width) for at in headers(archive, signature) for offset, width in fields] for signature, fields in FIELDS]
    places = choose.choice([kind for kind in [*kinds, list(extra_numbers(archive))] if kind] or [[]])
    places = [(at, width) for at, width in places if at + width <= len(archive)]
    if not places:
        return
    at, width = choose.choice(places)
    field = slice(at, at + width)
    old = int.from_bytes(archive[field], "little")
    new = choose.choice([choose.choice(VALUES), old + 1, old - 1, old ^ (1 << choose.randrange(8 * width))])
    archive[field] = (new % (1 << 8 * width)).to_bytes(width, "little")


def hide(choose, archive):
    """Puts a second directory with a second end into comment or extra fields of the last central header, or of another."""
    end, places = archive.rfind(b"PK\x05\x06"), list(headers(archive, b"PK\x01\x02"))
    if end < 0 or end + 22 > len(archive) or not places or places[-1] + 46 > end:
        return
    size, start = struct.unpack_from("<II", archive, end + 12)
    at = choose.choice([places[-1]] * 3 + places)
    name, extra, comment = struct.unpack_from("<HHH", archive, at + 28)
    into = choose.choice([30, 32])
    place = at + 46 + name + extra + (comment if into == 32 else 0)
    second = bytes(archive[places[0]:choose.choice(places[1:] + [end])])
    head = 4 if into == 30 else 0
    hidden = second + choose.choice([
        wide_end(second.count(b"PK\x01\x02"), len(second), place + head, place + head + len(second)),
        struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(second), place + head, choose.choice([0, 22, 65])),
    ])
    if head:
        hidden = struct.pack("<HH", 0x7777, len(hidden)) + hidden
    if len(hidden) + max(extra, comment) > 0xFFFF or place > len(archive) or size + len(hidden) > 0xFFFFFFFF:
        return
    struct.pack_into("<I", archive, end + 12, size + len(hidden))
    struct.pack_into("<H", archive, at + into, (extra if into == 30 else comment) + len(hidden))
    archive[place:place] = hidden


def change_name(choose, archive):
    """Writes another name of the same length into one header or both."""
    old = choose.choice(NAMES).encode()
    new = choose.choice([b"../evil", b"/abs", b"A/", b"a\\b", b"a/./b", b"con.", b"a:b", b"\xc3\xa9"])
    new = new[: len(old)] + old[len(new):]
    places = list(headers(archive, old))
    for at in places if choose.random() < 0.5 else places[:1]:
        archive[at:at + len(old)] = new


def move(choose, archive):
    """Cuts, doubles or inserts a piece."""
    start, end = sorted(choose.randrange(len(archive) + 1) for _ in range(2))
    piece = archive[start:end]
    place = choose.choice([0, start, len(archive)])
    if choose.random() < 0.3:
        del archive[start:end]
    elif choose.random() < 0.5:
        archive[place:place] = piece
    else:
        archive[place:place] = choose.choice([b"\0", b"PK\x05\x06" + bytes(18), b"#!/bin/sh\n", bytes(22)])


def join(choose, archive):
    archive += wheel(choose)


def recompute(choose, archive):
    """Writes other data of the same length into a stored member, with its right checksum in one header only."""
    at = choose.choice([*headers(archive, b"PK\x03\x04"), len(archive)])
    if at + 30 > len(archive):
        return
    method, = struct.unpack_from("<H", archive, at + 8)
    name, extra = struct.unpack_from("<HH", archive, at + 26)
    size, = struct.unpack_from("<I", archive, at + 18)
    start = at + 30 + name + extra
    if method == 0 and 0 < size < 4096 and start + size <= len(archive):
        archive[start:start + size] = bytes(reversed(archive[start:start + size]))
        struct.pack_into("<I", archive, at + 14, zlib.crc32(archive[start:start + size]))


CHANGES = [change_byte, change_field, change_field, change_field, change_name, hide, move, join, recompute]


def hostile(seed, number):
    choose = random.Random(seed)
    for _ in range(number):
        archive = wheel(choose)
        for _ in range(choose.choice([0, 1, 1, 1, 2, 2, 3])):
            choose.choice(CHANGES)(choose, archive)
        yield bytes(archive)


def read_by_python(archive):
    """Returns what `zipfile` sees: directories, and each file's digest or why it cannot be read."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = opened.namelist()
        files = {}
        for name in names:
            if not name.endswith("/"):
                try:
                    files[name] = hashlib.sha256(opened.read(name)).hexdigest()
                except Exception as error:
                    files[name] = f"{type(error).__name__}: {error}"
        return sorted(name for name in names if name.endswith("/")), files, len(names)


def difference(archive, ours):
    """Returns how Python's reading of an accepted archive differs; none if it does not."""
    try:
        directories, files, count = read_by_python(archive)
    except Exception as error:
        return f"Python cannot open it: {type(error).__name__}: {error}"
    if count != len(directories) + len(files):
        return "Python sees a name twice"
    if directories != sorted(ours["directories"]) or files.keys() != ours["files"].keys():
        return f"Python sees {sorted(files)} and {directories}, pinfold {sorted(ours['files'])} and {ours['directories']}"
    for name, digest in ours["files"].items():
        if digest is not None and files[name] != digest:
            return f"`{name}` is {digest} to pinfold and {files[name]} to Python"
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            return f"`{name}` leads out"
    return None


def main():
    program, seed, number = [*sys.argv[1:], *["1", "20000"][len(sys.argv) - 2:]]
    one_field = list(systematic())
    archives = one_field + list(hostile(int(seed), int(number)))
    asked = b"".join(struct.pack("<I", len(archive)) + archive for archive in archives)
    process = subprocess.run([program], input=asked, stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(answers) == len(archives), "an answer is missing"
    accepted, whole, differences = 0, 0, []
    for position, (archive, ours) in enumerate(zip(archives, answers)):
        if "error" in ours:
            continue
        accepted += 1
        whole += all(ours["files"].values())
        found = difference(archive, ours)
        if found:
            differences.append((position, found))
    for position, found in differences[:20]:
        print(f"DIFFERENCE in archive {position}: {found}")
    print(f"seed {seed}: {len(archives)} archives ({len(one_field)} with one field changed), {accepted} accepted, {whole} of them with every member whole,"
          f" {len(differences)} read otherwise by Python {sys.version.split()[0]}")
    return 1 if differences or not whole else 0


if __name__ == "__main__":
    sys.exit(main())
