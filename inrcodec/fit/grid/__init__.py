"""The fit of a modulated SIREN: latents and networks together, under one constraint."""
