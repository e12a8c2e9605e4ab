"""What dishonest trainers publish."""
