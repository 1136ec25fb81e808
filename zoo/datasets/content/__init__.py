"""What a data set holds, beside its labels: ranges, copies, and what decoding loses."""
