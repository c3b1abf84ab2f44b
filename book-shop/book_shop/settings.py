"""Django settings. Values that differ between environments come from environment.py."""

import hashlib
import os
from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from book_shop import environment
from book_shop.database import database
from book_shop.logs import LOGGING  # noqa: F401 - a setting

BASE_DIR = Path(__file__).resolve().parent.parent

_given = environment.load()
DEBUG = _given.debug
SECRET_KEY = _given.secret_key
SECRET_KEY_FALLBACKS = _given.secret_key_fallbacks
ALLOWED_HOSTS = _given.allowed_hosts
DATABASES = {"default": database(_given.DATABASE_URL, BASE_DIR)}
VERSION = os.environ.get("BOOK_SHOP_VERSION", "unknown")
REVISION = os.environ.get("BOOK_SHOP_REVISION", "unknown")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "csp",
    "django_prometheus",
    "books",
    "orders",
    "accounts",
]

MIDDLEWARE = [
    "book_shop.metrics.BeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # CommonMiddleware rejects unknown host names. The error page is in the language of the visitor.
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "book_shop.metrics.AfterMiddleware",
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
                "orders.cart.shown",
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

PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60  # of the links of manage.py invite

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "book-template"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ar", _("Arabic"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "book_shop" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "book_shop.storage.SortedStaticFilesStorage"},
}
# No page links to the unhashed copies.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Both environments have the same host name, and cookies do not depend on the port. Without different names, a login to
# one environment would end the session in the other. All cookies have the path / and no domain, as browsers demand for
# the prefix __Host-.
_suffix = _given.COOKIE_SUFFIX or hashlib.sha256(f"cookie names:{SECRET_KEY}".encode()).hexdigest()[:8]
SESSION_COOKIE_NAME = f"sessionid_{_suffix}"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"csrftoken_{_suffix}"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_NAME = f"language_{_suffix}"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
# The cookie of the default storage has the same name in both environments.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Without a mail server, a developer sees mail on the terminal. In production, its text does not belong in the log.
_backend = "smtp" if _given.EMAIL_HOST else "console" if DEBUG else "dummy"
EMAIL_BACKEND = f"django.core.mail.backends.{_backend}.EmailBackend"
EMAIL_HOST = _given.EMAIL_HOST or ""
EMAIL_PORT = _given.EMAIL_PORT or {"starttls": 587, "tls": 465, "none": 25}[_given.EMAIL_SECURITY]
EMAIL_HOST_USER = _given.EMAIL_HOST_USER
EMAIL_HOST_PASSWORD = _given.EMAIL_HOST_PASSWORD
EMAIL_USE_TLS = _given.EMAIL_SECURITY == "starttls"
EMAIL_USE_SSL = _given.EMAIL_SECURITY == "tls"
EMAIL_TIMEOUT = 10  # seconds, so that a mail server that does not answer holds no thread for longer
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _given.DEFAULT_FROM_EMAIL

# docs/decisions/0042-security-headers.md lists the headers that NGINX sends.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],  # scripts of the admin; the shop has none
        "style-src": [SELF],
        "img-src": [SELF, "https:", "data:"],  # covers on other sites
        "font-src": [SELF],
        "connect-src": [SELF],  # autocomplete fields of the admin
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Over plain HTTP, browsers ignore the header and report an error in the console.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None

# The host serves plain HTTP only (ports 80 and 8080).
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # HSTS: browsers ignore it without HTTPS
    "security.W008",  # redirect to HTTPS: no server listens there
    "security.W012",  # Secure session cookie: browsers would not send it
    "security.W016",  # Secure CSRF cookie: browsers would not send it
]
