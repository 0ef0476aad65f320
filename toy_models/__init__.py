"""Small models trained on distributions whose density, velocity and Bayes loss are known in closed form."""
