"""How an image becomes live: in one of two Docker containers, or by a Kubernetes rollout."""
