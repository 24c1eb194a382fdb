"""Heads of people who do not exist: shaped, painted and lit. Used by ``build_synthetic_assets.py`` only."""
