"""What machines ask: is it alive, is it ready, which build is it, what may be crawled, what belongs to a page."""

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

# Of one visitor, or for programs.
NOT_TO_BE_CRAWLED = ["/admin/", "/account", "/cart", "/checkout", "/order", "/language", "/api/"]


def build(request):
    """Context processor: the build that made the page."""
    return {"build": {"version": settings.VERSION, "revision": settings.REVISION}}


@never_cache
@require_safe
def healthz(request):
    """Answer 200 as long as the process answers. Touches nothing: a lost database is no reason for a restart."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request):
    """Answer 200 when the database answers and has every migration of this build, otherwise 503 with the reason.

    Migrations that the database has beyond this build don't count: during a rollout and after a rollback the older
    build runs on the newer database.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        # Everyone can ask; host, port and role of the database are for the log only.
        return _not_ready(request, {"reason": "the database does not answer"}, detail=str(error).strip())
    if plan:
        missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        return _not_ready(request, {"reason": "migrations are not applied", "migrations": missing}, ", ".join(missing))
    return JsonResponse({"ready": True})


def _not_ready(request, answer: dict, detail: str):
    response = JsonResponse({"ready": False, **answer}, status=503)
    # In place of Django's bare "Service Unavailable", so that a failed deploy shows why in the last lines.
    log_response("Not ready: %s: %s", answer["reason"], detail, response=response, request=request)
    return response


@never_cache
@require_safe
def version(request):
    """Answer which build this is, as JSON."""
    return JsonResponse({"version": settings.VERSION, "revision": settings.REVISION})


@require_safe
def robots(request):
    """Answer what may be crawled (RFC 9309) and where the list of pages is."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_TO_BE_CRAWLED)]
    lines.append(f"Sitemap: {request.build_absolute_uri('/sitemap.xml')}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


@require_safe
def favicon(request):
    """Lead browsers to the icon, for the pages that don't name it: those of Django's admin."""
    return redirect(static("book_shop/icon.svg"))


@never_cache
@require_safe
def static_of_another_build(request, name):
    """Answer a page of another build with the static file as it is here: that build knows it by another hash.

    While a deploy is on, a page may come from one build and its stylesheet be asked of the other, which would have none
    for it. What this build has by that very name WhiteNoise has answered already.
    """
    plain = re.sub(r"\.[0-9a-f]{12}(?=\.[^./]+$)", "", name)
    if plain not in staticfiles_storage.hashed_files:
        raise Http404
    return FileResponse(staticfiles_storage.open(staticfiles_storage.hashed_files[plain]))
