"""The database: Tortoise's configuration, plain SQL, transactions, migrations."""

from webapp.db.tortoise_import import import_tortoise

import_tortoise()
