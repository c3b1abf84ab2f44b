"""Where the verbs run: the local host, the host on AWS, or a Kubernetes cluster."""
