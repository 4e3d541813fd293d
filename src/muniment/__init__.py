"""Muniment: documents in, questions out, every answer tied to the characters of a source its reader may see."""
