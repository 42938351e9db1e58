"""What the stylizers without a model share: directions, lines, flat colours, paper."""
