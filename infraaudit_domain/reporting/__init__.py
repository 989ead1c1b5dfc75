"""What is shown and sent: reports, columns, metrics and notices."""
