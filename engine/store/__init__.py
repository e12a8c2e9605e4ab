"""What must survive the program: SQLite with migrations, an append-only ledger, the outbox of transactions."""
