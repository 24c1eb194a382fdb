"""What people type. The only room that knows of the command line."""
