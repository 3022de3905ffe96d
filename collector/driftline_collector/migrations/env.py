"""What Alembic runs for every command. In: the connection ``migrate`` hands over, in a transaction of its own."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
