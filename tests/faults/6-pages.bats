#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Images that start, migrate and answer /version, but whose pages fail.
load faults.bash

# refused_by_both VERSION REASON: the change of the test, with shorter limits, by both environments at
# the same time.
refused_by_both() {
  local image jobs=() job
  sed -i 's/progressDeadlineSeconds: 60/progressDeadlineSeconds: 25/' "$SHOP/k8s/base/deployment.yaml"
  image=$(bad "$1")
  refused_alone dev "$image" "why: $2" --env DELIVERY_READY_LIMIT=15 &
  jobs+=($!)
  refused_alone prod "$image" "why: $2" &
  jobs+=($!)
  for job in "${jobs[@]}"; do wait "$job"; done
}
# In a directory of its own, because both watch. If it fails, teardown does not know its watch.
refused_alone() {
  BATS_TEST_TMPDIR=$(mktemp -d -p "$BATS_TEST_TMPDIR")
  trap '[ -z "${WATCH:-}" ] || kill "$WATCH"' EXIT
  refused "$@" 3>&-
}
# replace FILE OLD NEW: in book-shop/ of the shop; fails if OLD is not there.
replace() { python3 -c 'import pathlib, sys; path = pathlib.Path(sys.argv[1]); text = path.read_text(); assert sys.argv[2] in text; path.write_text(text.replace(*sys.argv[2:]))' "$SHOP/book-shop/$1" "$2" "$3"; }

@test "deploy fails with a template that names a missing static file, on every page" {
  replace book_shop/templates/base.html book_shop/style.css book_shop/no-such.css
  refused_by_both 1.21.0 "the smoke test failed: /: ValueError: Missing staticfiles manifest entry for 'book_shop/no-such.css'"
}

@test "deploy fails with a missing template" {
  rm "$SHOP/book-shop/books/templates/books/_filter.html"
  refused_by_both 1.22.0 "the smoke test failed: /book-list: TemplateDoesNotExist: books/_filter.html"
}

@test "deploy fails with a template that has a syntax error" {
  echo '{% if %}' >>"$SHOP/book-shop/orders/templates/orders/cart.html"
  refused_by_both 1.23.0 "the smoke test failed: /cart: TemplateSyntaxError: "
}

@test "deploy fails with a wrong name of a URL" {
  replace accounts/templates/accounts/login.html "url 'register'" "url 'no-such-name'"
  refused_by_both 1.24.0 "the smoke test failed: /account/login/: NoReverseMatch: "
}

@test "deploy fails with a view whose first query fails" {
  cat >>"$SHOP/book-shop/books/models.py" <<'PYTHON'


class Absent(models.Model):
    """A model without a table."""

    class Meta:
        managed = False
PYTHON
  replace books/views.py "best = page(" "list(__import__('books.models').models.Absent.objects.all()); best = page("
  refused_by_both 1.25.0 "the smoke test failed: /: ProgrammingError: relation "
}

@test "deploy fails with a context processor and with a middleware that fail" {
  replace book_shop/views.py 'return {"build"' 'raise RuntimeError("broken on purpose"); return {"build"'
  refused_by_both 1.26.0 "the smoke test failed: /: RuntimeError: broken on purpose"
  git -C "$SHOP" reset -q --hard "$CLEAN"
  cat >>"$SHOP/book-shop/book_shop/metrics.py" <<'PYTHON'


def broken(get_response):
    """Fails on the pages of accounts."""
    return lambda request: 1 / 0 if request.path.startswith("/account") else get_response(request)
PYTHON
  replace book_shop/settings.py '"book_shop.metrics.AfterMiddleware",' '"book_shop.metrics.AfterMiddleware", "book_shop.metrics.broken",'
  refused_by_both 1.27.0 "the smoke test failed: /account/login/: ZeroDivisionError: "
}

@test "an image without a list of pages, or with an invalid one, is not built" {
  for content in '[]' '[{"path": "//example.org/", "status": 200, "marker": "x"}]' '['; do
    echo "$content" >"$SHOP/book-shop/smoke.json"
    commit "invalid list"
    run shop image
    assert_failure
    assert_output --partial "invalid book-shop/smoke.json in commit $(head_of_shop)"
  done
  rm "$SHOP/book-shop/smoke.json"
  commit "no list"
  run shop image
  assert_failure
  assert_output --partial "No such file or directory: '/app/smoke.json'"
}

@test "a deploy whose page works in the application and not at the public address is reverted" {
  for environment in dev prod; do
    before=$(serving "$environment")
    nginx_refuses "$environment" ""
    refused "$environment" "$(good "$environment")" "/cart'
  why: status 403, expected 200. Still live: $before"
    install_host
    assert_heals "$environment"
  done
}

# run_of_a_pipeline ENVIRONMENT: deploys HEAD, whose cart no client outside of the host gets then, and tests it.
run_of_a_pipeline() {
  export DELIVERY_STEPS
  DELIVERY_STEPS=$(mktemp -p "$BATS_TEST_TMPDIR")
  DELIVERY_FORCE=1 DELIVERY_REASON="${TURN[1]}" "$SHOP/scripts/deploy" "$1"
  nginx_refuses "$1" "(?!127)"
  DELIVERY_SMOKE_LIMIT=0 run "$SHOP/scripts/smoke" "$1"
  unset DELIVERY_STEPS
  install_host
  assert_failure 1
  assert_output --partial "cannot load 'http://localhost:$(port_of "$1")/cart'"
}

@test "a failing smoke test in a pipeline rolls back what its run has deployed, and nothing else" {
  for environment in dev prod; do
    deploy "$environment" "${IMAGES[0]}"
    assert_success
    watch "$environment"
    run_of_a_pipeline "$environment"
    assert_output --partial "==> $environment serves ${IMAGES[0]}"
    assert_equal "$(serving "$environment")" "${IMAGES[0]}"

    deploy "$environment" "${IMAGES[1]}" # by another run
    assert_success
    run_of_a_pipeline "$environment"
    assert_output --partial "nothing to roll back"
    assert_equal "$(serving "$environment")" "${IMAGES[1]}"
    assert_served_throughout
  done
}
