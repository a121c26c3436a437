"""minidil: a complete small deep-learning library about dilated convolution."""
