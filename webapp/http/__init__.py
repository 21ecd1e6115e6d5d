"""The parts of a request that belong to no domain: client, kinds of addresses, forms, origin, limits, rendering."""
