"""Replay of past run days as they were known then, and what the warnings of a replay were worth."""
