"""Where collectstatic writes the static files."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class SortedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Lists the files in the manifest by name.

    Otherwise their order is that of the file system, and the image of a commit depends on the machine
    that builds it.
    """

    def post_process(self, paths, *args, **kwargs):
        """Hashes and compresses the files, {name: (storage, path)}."""
        return super().post_process(dict(sorted(paths.items())), *args, **kwargs)
