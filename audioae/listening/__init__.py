"""A listening test on a catalog: do people hear the similarities that the embedding claims?"""
