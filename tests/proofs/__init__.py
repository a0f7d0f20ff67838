"""Property tests that can be run at length: each is a part of the suite with few examples, and a proof with many."""
