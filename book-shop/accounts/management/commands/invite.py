"""manage.py invite: create an administrator and print a one-time link."""

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from accounts import invitation

HELP = """
Create an administrator of the shop, and print the path of a one-time link on which the person sets a password.

For an existing administrator, print a new link; the previous password and link stop working. A link is valid for three
days. Exit status: 1 if the address belongs to a customer, 2 if it is not a mail address.
"""


class Command(BaseCommand):
    """Prints only the path on stdout."""

    help = HELP

    def add_arguments(self, parser):
        """Add the argument."""
        parser.add_argument("email", help="the mail address of the person, who signs in with it")

    def handle(self, email, **options):
        """Print the path."""
        try:
            self.stdout.write(invitation.invite(email))
        except ValidationError as error:
            why = f"Cannot invite {email[:200]!r}: {' '.join(error.messages)} Example: invite lina@example.org"
            raise CommandError(why, returncode=2) from None
        except IntegrityError:
            raise CommandError(f'"{email}" is being invited by another command. Try again.') from None
        except invitation.NotInvited as error:
            raise CommandError(f'Cannot invite "{email}": {error}.') from None
