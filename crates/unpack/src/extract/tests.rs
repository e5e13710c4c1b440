//! ZW24 and the rest of what is checked while unpacking.
