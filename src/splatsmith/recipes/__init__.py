"""Methods as data: `*.toml`, their schema and how they are read."""
