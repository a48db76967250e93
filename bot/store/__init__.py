"""The record in Postgres: the only package that knows SQL. `bot.main` opens `engine.Database`; others see ports.Store.

`tables` says what is kept, one module a subject says how it is asked for, `unit_of_work` puts them in one transaction.
"""
