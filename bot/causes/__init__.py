"""What lies behind a failure, one module a family; `bot.flow.diagnosing` holds the explicit table of the rules.

A rule takes a `cases.Case` and gives a `cases.Verdict`: the cause, how sure it is and why, what a person should do, and
which actions of the catalogue it speaks for. Rules are pure. Families do not know each other; what they share is in
`cases` and `told`. Sources: https://kubernetes.io/docs/tasks/debug/debug-application/ for how each kind fails.
"""
