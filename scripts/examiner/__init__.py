"""What `scripts/score_pictures.py` is made of: pictures of handwriting, rendered, and how they are scored."""
