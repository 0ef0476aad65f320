"""Low-rank adapters of a frozen Stable Audio DiT: training K of them at once, merging one, and two file formats.

`layer` holds one wrapped layer, `paired` all layers of a DiT, `low_rank` the arithmetic, `merged` and `imported` the
ways to run a model with a single adapter, `peft_format` and `sa3_format` one reader and one writer each.
"""
