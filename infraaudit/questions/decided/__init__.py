"""Questions to what people decided and did."""
