"""manage.py anonymize: replace the personal data in a copy of the database."""

from book_shop import anonymization
from books import compatibility
from django.core.management.base import BaseCommand, CommandError

HELP = """
Replace the personal data of a database: names, mail and postal addresses, passwords, texts of reviews. Sessions and the
log of the admin are deleted. This cannot be undone.

It refuses a database that the shop may use. make load-dev ANONYMOUS=1 runs it on the new database before the exchange.
"""


class Command(BaseCommand):
    """Runs only with DATABASE_IN_USE=0, which the host sets for a database that it has just loaded."""

    help = HELP

    def handle(self, **options):
        """Print the number of rows."""
        if compatibility.in_use():
            raise CommandError(
                "Cannot anonymize this database: the shop may use it. Nothing was changed. "
                "Load an anonymized copy with: make load-dev ANONYMOUS=1 <dump",
                returncode=2,
            )
        if found := anonymization.unclassified():
            raise CommandError(
                f"Cannot anonymize this database: nothing says whether these columns are personal: {', '.join(found)}. "
                "Nothing was changed. Add them to book_shop/anonymization.py."
            )
        for label, rows in anonymization.anonymize().items():
            self.stdout.write(f"{label}: {rows} rows {'deleted' if label in anonymization.DELETED else 'replaced'}")
