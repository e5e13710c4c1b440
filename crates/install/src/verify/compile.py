# Reads sources from standard input, each with the length of its name, a level of optimisation and its own length, then the
# name and the source. Writes for each the interpreter's hash of the source and its code, marshalled, with its length; 0 if it
# cannot be compiled. First the magic number. Nothing of the environment is imported.
#
# A compiler says MemoryError of a source that is nested too deeply, too. Where there is plenty of memory it is the source;
# where there is not, this process ends, and has said nothing.
import _frozen_importlib_external
import _imp
import marshal
import sys
import warnings

warnings.simplefilter("ignore")
given, made = sys.stdin.buffer, sys.stdout.buffer
magic = _frozen_importlib_external.MAGIC_NUMBER
made.write(magic)
while True:
    header = given.read(7)
    if len(header) < 7:
        break
    name = given.read(int.from_bytes(header[:2], "little")).decode()
    source = given.read(int.from_bytes(header[3:], "little"))
    try:
        code = marshal.dumps(compile(source, name, "exec", dont_inherit=True, optimize=header[2]))
    except MemoryError:
        bytearray(0x4000000 + 0x200 * len(source))
        code = b""
    except Exception:
        code = b""
    made.write(_imp.source_hash(int.from_bytes(magic, "little"), source))
    made.write(len(code).to_bytes(4, "little"))
    made.write(code)
