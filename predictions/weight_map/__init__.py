"""How much the barrier's weight can do, given a few statistics of the latents: closed forms, simulation, forecast.

`closed_forms` has formulas in plain Python. `measure` finds where a data set lies on the map (`place`), `posterior`
gives the ideal output's energies, `sampling` draws weights at a place. `grid`, `limits`, `marks`, `by_t` and `medium`
make the tables of the stage `weight_map`, and `page` writes them into docs/.
"""
