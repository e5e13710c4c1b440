//! PubGrub over facts already known; otherwise says which facts it needs.
