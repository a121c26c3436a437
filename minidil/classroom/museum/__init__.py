"""The bug museum. In: a student's tests. Out: which real mistakes of published libraries they would have found."""
