"""
Parley on many processes, counted: the application of each in virtual time, over one database and one Redis.

The application's own code runs in one Python process, each simulated process with its own hub, presence, sidebars and
caches. Requests enter as ASGI calls, and streams end at a connection that records what it is given. The database is an
SQLite file, asked in the application's own statements, while the application takes it for PostgreSQL; Redis is a model.
"""
