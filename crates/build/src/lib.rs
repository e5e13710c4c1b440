//! An sdist becomes a wheel: locked build requirements, inside the sandbox.
