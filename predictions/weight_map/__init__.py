"""How much the barrier's weight can do, given a few statistics of the latents: closed forms, simulation, forecast.

`closed_forms` has formulas in plain Python. `place` measures where a data set lies on the map, `sampling` draws weights
at a place, `grid` and `marks` make the tables of the stage `weight_map`, and `page` writes them into docs/.
"""
