"""What the method costs and how many digits it keeps, measured; results are committed beside the programs."""
