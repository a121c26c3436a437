"""What of PyTorch minidil leaves out on purpose, and why: a reason, and the names (or patterns) that it covers."""

REASONS = {
    "nothing writes into a tensor here; use the function without the underscore": "*_",
}
