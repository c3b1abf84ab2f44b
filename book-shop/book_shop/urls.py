"""The addresses of the shop."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from book_shop import views

admin.site.site_header = admin.site.site_title = "Book Shop"

urlpatterns = [
    path("", include("books.urls")),
    path("language", set_language, name="set_language"),
    path("", include("orders.urls")),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("version", views.version, name="version"),
]
