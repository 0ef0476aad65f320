"""One short file per DVC stage: read the settings, call the library, write the outputs."""
