//! Python's words: name, version, requirement, marker, tag, target, filenames, metadata, simple pages.
