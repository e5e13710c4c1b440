"""Calls one hook of a PEP 517 build backend: request on standard input, answer into a file.

Standard output belongs to the backend. The directory that the interpreter was started in is no place to import from,
unless the sdist names it in `backend-path`.

Bytecode is written while the backend is imported, into its own environment, so that the next hook starts sooner; none is
written from then on, because what lies among the sources may end up in the wheel.
"""
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import importlib
import json
import os

request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
source = os.getcwd()
places = [os.path.realpath(os.path.join(source, place)) for place in request["backend_path"]]
for place in places:
    if place != source and not place.startswith(source + os.sep):
        raise SystemExit("backend-path leaves the sources")
sys.path[:0] = places

sys.dont_write_bytecode = bool(places)
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
hook = getattr(backend, request["hook"], None)
answer = {"missing": True}
if hook is not None:
    try:
        answer = {"returned": hook(*request["arguments"])}
    except NotImplementedError:
        if not request["optional"]:
            raise
with open(request["answer"], "w", encoding="utf-8") as file:
    json.dump(answer, file)
