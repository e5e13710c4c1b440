# Reads sources from standard input, each with its length and a level of optimisation, and writes the code of each,
# marshalled, with its length; 0 if it cannot be compiled. First the magic number. Nothing is imported but what is built in.
import marshal, struct, sys, warnings
import _frozen_importlib_external

warnings.simplefilter("ignore")
given, made = sys.stdin.buffer, sys.stdout.buffer
made.write(_frozen_importlib_external.MAGIC_NUMBER)
while True:
    header = given.read(5)
    if len(header) < 5:
        break
    size, level = struct.unpack("<IB", header)
    source = given.read(size)
    try:
        code = marshal.dumps(compile(source, "source", "exec", dont_inherit=True, optimize=level))
    except Exception:
        code = b""
    made.write(struct.pack("<I", len(code)))
    made.write(code)
