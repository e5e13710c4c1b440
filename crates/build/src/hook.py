"""Calls hooks of a PEP 517 build backend, one after the other: requests on standard input, each answer into a file.

Standard output belongs to the backend. The directory that the interpreter was started in is no place to import from,
unless the sdist names it in `backend-path`.

Each hook but the last is called in a process that is divided off when the backend is imported, so that nothing that one
hook leaves behind in memory reaches the next. A hook that answers with anything is the last: what it wants must be there
before the next one is called.

Where another start follows, bytecode is written while the backend is imported, into its own environment; none is written
from then on, because what lies among the sources may end up in the wheel.
"""
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import importlib
import json
import os


def call(one):
    os.chdir(one["directory"])
    hook = getattr(backend, one["hook"], None)
    answer = {"missing": True}
    if hook is not None:
        try:
            answer = {"returned": hook(*one["arguments"])}
        except NotImplementedError:
            if not one["optional"]:
                raise
    with open(one["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


def call_apart(one):
    """Returns true in the process that called the hook and is to end, and false in the one that waited for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        call(one)
        return True
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit("%s ended with wait status %d" % (one["hook"], status))
    return False


def is_last(one):
    with open(one["answer"], encoding="utf-8") as file:
        return bool(json.load(file).get("returned"))


request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
source = os.getcwd()
places = [os.path.realpath(os.path.join(source, place)) for place in request["backend_path"]]
for place in places:
    if place != source and not place.startswith(source + os.sep):
        raise SystemExit("backend-path leaves the sources")
sys.path[:0] = places

sys.dont_write_bytecode |= bool(places)
module_name, _, object_path = request["backend"].partition(":")
module = importlib.import_module(module_name)
if places:
    found = os.path.realpath(getattr(module, "__file__", None) or "")
    if not any(found.startswith(place + os.sep) for place in places):
        raise SystemExit("the backend was not found in backend-path")
backend = module
for name in filter(None, object_path.split(".")):
    backend = getattr(backend, name)

sys.dont_write_bytecode = True
*earlier, last = request["calls"]
if not any(call_apart(one) or is_last(one) for one in earlier):
    call(last)
