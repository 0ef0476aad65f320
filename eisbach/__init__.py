"""The Eisbach log-barrier and the harness that trains with it. `eisbach.barrier` needs torch alone."""
