"""What must survive the program: SQLite with migrations, an append-only ledger, and the outbox of chain transactions."""
