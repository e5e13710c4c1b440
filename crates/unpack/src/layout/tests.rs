//! ZW: every attack on the layout.
