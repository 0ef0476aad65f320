"""What the barrier would do to given latents: `eisbach weigh`. Needs torch alone; the picture needs matplotlib.

- `tensor_files`: reads .npy and .safetensors piece by piece.
- `latents`: finds the latents in a file or a folder, with padding masks, and checks them.
- `labels`: classes of the latents, from a CSV.
- `measure`: weights, their spread, the contrast of two classes, closed-form references.
- `text`, `picture`: ten lines, one figure.
- `census`: the same measurement of a model's outputs; needs the harness.
"""
