"""The networks inside couplings: definition in autograd, and compiled passes over blocks of samples."""
