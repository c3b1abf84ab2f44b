"""How an image becomes live: in two slots of Docker, or by a rollout of Kubernetes."""
