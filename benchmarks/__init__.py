"""What is measured, beside the others: each engine in a process of its own."""
