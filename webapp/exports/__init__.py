"""All that is somebody's, as one file."""
