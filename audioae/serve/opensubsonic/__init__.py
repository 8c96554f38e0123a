"""OpenSubsonic clients ask for what sounds alike: the extension `sonicSimilarity`, version 1, and what it stands on."""
