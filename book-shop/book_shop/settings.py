"""Django settings. Everything that varies per place comes from the environment (environment.py)."""

import hashlib
import os
from pathlib import Path

from book_shop import environment
from book_shop.logs import LOGGING  # noqa: F401 - Django reads it here

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.debug(os.environ)
SECRET_KEY = environment.secret_key(os.environ)
ALLOWED_HOSTS = environment.allowed_hosts(os.environ)
DATABASES = {"default": environment.database(os.environ, BASE_DIR)}
VERSION = os.environ.get("BOOK_SHOP_VERSION", "unknown")
REVISION = os.environ.get("BOOK_SHOP_REVISION", "unknown")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "books",
    "orders",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "book_shop.urls"
WSGI_APPLICATION = "book_shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "book_shop" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "book_shop.views.build",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# One language: the image carries no translation files.
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "book_shop" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Nothing links to the unhashed copies: leave them out of the image.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Two environments answer on one host name and browsers don't keep cookies apart by port: each has names of its own,
# derived from its key, so that a login to one does not end the session in the other.
_suffix = hashlib.sha256(f"cookie names:{SECRET_KEY}".encode()).hexdigest()[:8]
SESSION_COOKIE_NAME = f"sessionid_{_suffix}"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"csrftoken_{_suffix}"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

# The host serves plain HTTP only (ports 80 and 8080): a redirect to HTTPS, HSTS or Secure cookies would lock everyone
# out, and browsers ignore Cross-Origin-Opener-Policy there, with an error in the console of each page.
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
