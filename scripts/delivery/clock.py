"""Time, so that tests need not wait."""

import time


class Clock:
    """The machine's monotonic clock, in seconds."""

    def now(self):
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds):
        """Waits that long."""
        time.sleep(seconds)

    def poll(self, limit, interval):
        """Yields at once and then after each `interval` seconds, until `limit` seconds have passed; at least twice."""
        deadline = self.now() + limit
        yield
        while True:
            self.sleep(interval)
            last = self.now() >= deadline
            yield
            if last:
                return
