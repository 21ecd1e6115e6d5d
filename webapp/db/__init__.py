"""The database: Tortoise's configuration, plain SQL, transactions, migrations."""
