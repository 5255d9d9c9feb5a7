"""When pipelines run: times, catch-up, the scheduler process, and what can be seen of it."""
