"""How a database of an older version becomes one of today's, with Alembic.

``versions`` has one file per version, numbered without a gap; ``env.py`` is what Alembic runs. To change the tables:
change ``schema.py``, raise SCHEMA_VERSION, add ``versions/vNNNN_what.py`` that does the same to a database with data in
it. A test compares both ways. A step only adds: a replica of the version before may still be running.
"""
