"""The paper's circuits as a user writes them."""
