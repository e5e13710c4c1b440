//! What the maintainer asked for: pinfold.toml, pyproject, requirements files, index routes.
