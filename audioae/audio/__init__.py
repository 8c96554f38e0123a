"""The decode path: from an audio file to clips, mels and evidence of faults. It knows arrays and paths, no store."""
