"""Real servers from distribution packages, and what clients, cron and operators do to them.

In: nothing. Out: ``server.Server`` descriptions, one module each; ``image`` makes their container images, ``stand``
runs them beside an agent. Next: ``benchmarks.false_alarms`` and ``baselines/make.py``.
"""
