"""The file name suffixes of audio that the decoders read, and of video whose audio stream they read.

Conventions
-----------
- Lower case, with the dot. The format of a file is recognized by its content; a suffix only says which files of a
  folder are worth opening.

Why a list: decoders open many formats whose suffix usually means something else (`.bin`, `.dat`, `.raw`).
"""

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".caf", ".au", ".snd", ".voc"),  # PCM
    *(".flac", ".ape", ".wv", ".tta", ".tak", ".shn", ".dsf", ".dff"),  # lossless
    *(".mp3", ".mp2", ".mpa", ".aac", ".ac3", ".eac3", ".dts", ".wma", ".amr"),  # lossy
    *(".ogg", ".oga", ".opus", ".spx", ".mpc"),
    *(".m4a", ".m4b", ".mp4", ".3gp", ".mka", ".weba", ".webm"),  # containers of any codec
)
VIDEO_SUFFIXES = (
    *(".mkv", ".mov", ".m4v", ".avi", ".flv", ".wmv", ".asf", ".mpg", ".mpeg", ".vob", ".ts", ".ogv", ".3g2"),
)
