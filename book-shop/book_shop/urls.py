"""URLs of the shop."""

from books.api import api
from books.sitemaps import SITEMAPS
from django.contrib import admin
from django.contrib.sitemaps.views import index, sitemap
from django.urls import include, path
from django.views.i18n import set_language

from book_shop import site, views

admin.site.site_header = admin.site.site_title = "Book Shop"

urlpatterns = [
    path("", include("books.urls")),
    path("language", set_language, name="set_language"),
    path("", include("orders.urls")),
    path("api/", api.urls),
    path("account/", include("accounts.urls")),
    path("sitemap.xml", site.as_public(index), {"sitemaps": SITEMAPS, "sitemap_url_name": "sitemap"}),
    path("sitemap-<slug:section>.xml", site.as_public(sitemap), {"sitemaps": SITEMAPS}, name="sitemap"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("static/<path:name>", views.static_of_another_build),
    path("robots.txt", views.robots, name="robots"),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("version", views.version, name="version"),
]
