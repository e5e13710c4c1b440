//! zip and tar that may be hostile: bounded, safe paths, no links out, RECORD checked.
