"""Task runs as rows: their states, reuse, transactions, and questions about them."""
