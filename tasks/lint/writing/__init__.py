"""Replace pending files by their safe migrations, which are proved on scratch first."""
