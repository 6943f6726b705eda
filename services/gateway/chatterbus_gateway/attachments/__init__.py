"""Files: in through `upload`, out through `download`; what is kept of them is the ledger's, where they lie the
storage's."""
