"""What of a request belongs to no domain: who asks, forms, origin, limits, rendering."""
