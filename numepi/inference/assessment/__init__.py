"""What is said of an answer: score on fresh simulations, certificate, the paper's test, corrected samples."""
