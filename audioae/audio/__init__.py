"""From an audio file to clips, mels and evidence of faults. Arrays and paths, no store."""
