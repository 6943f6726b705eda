"""The ledger: the pure rules that turn commands into changes of threads, one gapless log per thread.

Promises: given the rows that a batch concerns, applying its commands in order assigns every seq and rev without holes
and without reading a clock, a database or a queue. Storing the result is the business of `pg_store`.
"""
