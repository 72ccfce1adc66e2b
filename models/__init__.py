"""One folder per paper; each exposes one object, ``study``."""
