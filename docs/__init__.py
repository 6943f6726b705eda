"""The documents, and what generates some of them from the code: `python -m docs.generate`."""
