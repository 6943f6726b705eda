"""The chatterbus command: run everything on a laptop, mint tokens, talk in the terminal."""
