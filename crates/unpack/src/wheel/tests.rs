//! WI: every attack on the meaning of a wheel.
