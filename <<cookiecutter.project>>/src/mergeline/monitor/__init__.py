"""What runs, seen from outside the servers, by what they wrote."""
