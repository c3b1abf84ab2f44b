"""The path of an image from a commit to production. The verbs in scripts/ and on the host call this package."""
