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
PUBLIC_URL = _given.PUBLIC_URL
HTTPS = _given.https
PREVIEW = _given.preview
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
    "book_shop.caching.CachingMiddleware",
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
                "book_shop.site.address",
                "orders.cart.shown",
            ],
            "libraries": {"site": "book_shop.site"},
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
# the prefix __Host-. With it, no other host of the domain and no one on the network can set them.
_suffix = _given.COOKIE_SUFFIX or hashlib.sha256(f"cookie names:{SECRET_KEY}".encode()).hexdigest()[:8]
_prefix = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{_prefix}sessionid_{_suffix}"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{_prefix}csrftoken_{_suffix}"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_NAME = f"{_prefix}language_{_suffix}"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
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

# docs/decisions/0089-shop-behind-https.md
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
if HTTPS:
    # The host's NGINX, or the load balancer of a cluster, replaces this header of clients.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_SSL_HOST = PUBLIC_URL.removeprefix("https://")
    # HSTS holds for all ports of a name, so for localhost it would break other programs on the developer's computer.
    SECURE_HSTS_SECONDS = 0 if SECURE_SSL_HOST.partition(":")[0] == "localhost" else 365 * 24 * 60 * 60
    # Probes and the verbs request these without a proxy in front.
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|version)\Z"]
    SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
    SILENCED_SYSTEM_CHECKS = [
        "security.W005",  # HSTS for all subdomains: they may be other sites
        "security.W021",  # HSTS in the lists of browsers: it could not be taken back
    ]
else:
    # Over plain HTTP, browsers ignore the header and report an error in the console.
    SECURE_CROSS_ORIGIN_OPENER_POLICY = None
    SILENCED_SYSTEM_CHECKS = [
        "security.W004",  # HSTS: browsers ignore it without HTTPS
        "security.W008",  # redirect to HTTPS: no server listens there
        "security.W012",  # Secure session cookie: browsers would not send it
        "security.W016",  # Secure CSRF cookie: browsers would not send it
    ]
