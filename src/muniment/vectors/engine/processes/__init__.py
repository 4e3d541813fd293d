"""The child processes that shards live in, and the way to them."""
