"""Endpoints for machines: probes, version, robots.txt, favicon and static files of other builds."""

import re

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.utils.log import log_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from book_shop import site, smoke

# Pages of a single visitor, and the API.
NOT_TO_BE_CRAWLED = ["/admin/", "/account", "/cart", "/checkout", "/order", "/language", "/api/"]


def build(request):
    """Context processor: add the version and revision of this build."""
    return {"build": {"version": settings.VERSION, "revision": settings.REVISION}}


@never_cache
@require_safe
def healthz(request):
    """Return 200. The database is not checked, because a restart would not repair it."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request):
    """Return 200 if the database has all migrations of this build and its pages work, otherwise 503 with the reason.

    Additional migrations are allowed: during a rollout and after a rollback, an older build uses the newer schema. The
    pages are requested until they have worked once in this process (smoke.py).
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        # The endpoint is public, so the host, port and role of the database appear in the log only.
        return _not_ready(request, {"reason": "the database does not answer"}, detail=str(error).strip())
    if plan:
        missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        return _not_ready(request, {"reason": "migrations are not applied", "migrations": missing}, ", ".join(missing))
    try:
        smoke.test.run()
    except smoke.Failed as failed:
        # Messages of exceptions may contain addresses or data, so they appear in the log only.
        answer = {"reason": "the smoke test failed", "page": failed.page, "error": failed.error}
        return _not_ready(request, answer, detail=str(failed))
    return JsonResponse({"ready": True})


def _not_ready(request, answer: dict, detail: str):
    response = JsonResponse({"ready": False, **answer}, status=503)
    # Replaces the "Service Unavailable" that Django logs, so that the log of a failed deploy has the reason.
    log_response("Not ready: %s: %s", answer["reason"], detail, response=response, request=request)
    return response


@never_cache
@require_safe
def version(request):
    """Return the version and revision of this build as JSON."""
    return JsonResponse({"version": settings.VERSION, "revision": settings.REVISION})


@require_safe
def robots(request):
    """Return the rules for crawlers (RFC 9309) and the URL of the sitemap."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_TO_BE_CRAWLED)]
    lines.append(f"Sitemap: {site.url(request)}/sitemap.xml")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


@require_safe
def favicon(request):
    """Redirect to the icon, for the pages of the admin, which have no link to it."""
    return redirect(static("book_shop/icon.svg"))


@never_cache
@require_safe
def static_of_another_build(request, name):
    """Return this build's version of a static file that another build has under another hash.

    During a deploy, a page may come from one build and the request for its stylesheet reach the other. WhiteNoise has
    already answered requests for the hashed names of this build.
    """
    plain = re.sub(r"\.[0-9a-f]{12}(?=\.[^./]+$)", "", name)
    if plain not in staticfiles_storage.hashed_files:
        raise Http404
    return FileResponse(staticfiles_storage.open(staticfiles_storage.hashed_files[plain]))
