//! One rename between the old environment and the new one.
