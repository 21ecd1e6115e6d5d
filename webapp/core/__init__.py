"""What needs neither a request nor a database: errors, text, time, languages, tasks, faults."""
