"""The exercises of chapter 10, a module each: a right kernel as text, how it is launched and counted, and usual mistakes."""
