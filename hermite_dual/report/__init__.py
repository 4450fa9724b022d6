"""What people read: figures, summaries and files."""
