"""The clock. Tests replace it so that they do not wait."""

import time


class Clock:
    """The machine's monotonic clock, in seconds."""

    def now(self):
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds):
        """Waits for a number of seconds."""
        time.sleep(seconds)

    def poll(self, limit, interval):
        """Yields at once, then every `interval` seconds until `limit` seconds have passed, but at least twice."""
        deadline = self.now() + limit
        yield
        while True:
            self.sleep(interval)
            last = self.now() >= deadline
            yield
            if last:
                return
