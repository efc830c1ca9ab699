"""How batches go through a flow: blocks of samples, parts for threads, the chain of transforms, autograd primitives."""
