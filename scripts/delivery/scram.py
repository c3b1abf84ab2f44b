"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what PostgreSQL stores instead of a password.

PostgreSQL takes a verifier in the place of a password, so no password reaches its statements or its log.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata

ITERATIONS = 4096  # as PostgreSQL
SALT = 16  # bytes, as PostgreSQL
VERIFIER = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,8}):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")
PROHIBITED = (  # RFC 4013, 2.3, and the code points that Unicode 3.2 does not assign
    stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def verifier(password, salt=None, iterations=ITERATIONS):
    """The verifier of a password, with a random salt unless one is given (bytes)."""
    salt = salt or os.urandom(SALT)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    stored, server, salt = (base64.b64encode(key).decode() for key in (hashlib.sha256(client).digest(), server, salt))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"


def matches(password, stored):
    """Whether a verifier is that of a password. False for everything that is not a verifier."""
    parts = VERIFIER.fullmatch(stored)
    try:
        salt = base64.b64decode(parts[2], validate=True) if parts else b""
    except binascii.Error:
        salt = b""
    return bool(salt) and hmac.compare_digest(stored, verifier(password, salt, int(parts[1])))


def prepared(password):
    """The bytes that PostgreSQL and its clients hash: SASLprep (RFC 4013), or the password if that refuses it."""
    plain = password.encode("utf-8", "surrogateescape")
    if password.isascii():
        return plain
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    text = unicodedata.normalize("NFKC", mapped)
    is_refused = not mapped or any(prohibits(character) for prohibits in PROHIBITED for character in text)
    return plain if is_refused or mixes_directions(text) else text.encode()


def mixes_directions(text):
    """Whether a text breaks the rule for bidirectional text (RFC 3454, 6)."""
    right = [stringprep.in_table_d1(character) for character in text]
    is_whole = right[:1] == right[-1:] == [True] and not any(map(stringprep.in_table_d2, text))
    return any(right) and not is_whole
