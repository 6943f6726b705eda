"""Chatterbus contracts: ids, limits, frames, commands, events, codes, subjects and topology as pure pydantic."""
