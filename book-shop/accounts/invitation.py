"""Invitations: one-time links on which an administrator sets a password.

A link contains a signed token. It stops working when the password changes, when the person signs in, when a new link is
made, and after PASSWORD_RESET_TIMEOUT. A change of SECRET_KEY keeps it while the old key is among the fallbacks.
"""

import uuid

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode


class Tokens(PasswordResetTokenGenerator):
    """Makes and checks the tokens."""

    key_salt = "accounts.invitation"


tokens = Tokens()


class NotInvited(Exception):
    """The address cannot be invited, and nothing was changed. The message is the reason."""


@transaction.atomic
def invite(address: str) -> str:
    """Return the path of a new link for the administrator with this mail address, who is created if necessary.

    A previous password or link of the administrator stops working. Raise ValidationError if the address is invalid, and
    NotInvited if it belongs to another kind of account.
    """
    validate_email(address)
    address = User.objects.normalize_email(address)
    # A reader may have registered the address as a name.
    found = list(User.objects.select_for_update().filter(Q(email__iexact=address) | Q(username__iexact=address)))
    if any(not user.is_staff for user in found):
        raise NotInvited(
            "a customer has this address. Use another one, or make the account an administrator in /admin/"
        )
    if len(found) > 1:
        names = ", ".join(sorted(user.get_username() for user in found))
        raise NotInvited(f"several administrators have this address: {names}. Correct it in /admin/")
    if found and not found[0].is_active:
        raise NotInvited("the account of this administrator is deactivated. Activate it in /admin/")
    user = found[0] if found else _new(address)
    # The random part of an unusable password is signed too, so each call invalidates the previous link.
    user.set_unusable_password()
    user.save()
    number = urlsafe_base64_encode(force_bytes(user.pk))
    # Access logs have the path of a request, but not its query.
    return reverse("invitation", args=[number], query={"token": tokens.make_token(user)})


def _new(address: str) -> User:
    user = User(username=address, email=address, is_staff=True, is_superuser=True)
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        if "email" in error.error_dict:
            raise
        # An address may have characters or a length that a name must not have.
        user.username = f"administrator-{uuid.uuid4()}"
    return user
