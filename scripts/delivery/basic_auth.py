"""A password for HTTP Basic authentication (RFC 7617) that NGINX accepts with any user name.

NGINX's own password files need a user name. Its map can compare the header, which is the Base64 of `user:password`.
Because three bytes become four characters, the end of it depends on the length of the user name modulo three.
"""

import base64
import re
import string

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def nginx_map(password):
    """The lines of NGINX's map from the header Authorization to unset, wrong or right, for preview.conf.

    `password` is ASCII text, or empty if there is none.
    """
    if not password:
        return "default unset;\n"
    lines = [f'"~^(?i:basic) +(?:[A-Za-z0-9+/]{{4}})*{encoded_end(password, length)}$" right;' for length in range(3)]
    return "\n".join(["default wrong;", *lines, ""])


def encoded_end(password, length):
    """A regular expression for the Base64 of `:password` after so many bytes of the user name (0 to 2)."""
    encoded = base64.b64encode(b"\0" * length + f":{password}".encode()).decode()
    # One character has the last bits of the user name and the first ones of the colon.
    colon = 64 >> 2 * length
    mixed = "".join(ALPHABET[ALPHABET.index(encoded[length]) % colon :: colon])
    return f"[A-Za-z0-9+/]{{{length}}}[{mixed}]{re.escape(encoded[length + 1 :])}"
