"""How good are embeddings? One file per question, asked of any vectors.

Conventions
-----------
- Vectors are float32 (n, d), compared by cosine; nothing here knows where they come from, and no path.
- A question returns an `Answer`: metrics, and what had to be left out with the reason. A number that cannot be had is
  left out, never made up.
"""
