"""Lists of pages for the tests of both readers of smoke.json, which cannot share code: the application and the host."""

HOME = {"path": "/", "status": 200, "marker": "books"}
LINK = {"link": "/a[0-9]", "on": "/", "status": 200, "marker": "body"}
OTHER = ("", "a", "//evil.test/", "http://evil.test/", "/\\evil.test", 1)
VALID = [
    [HOME],
    [HOME, LINK],
    [HOME, LINK | {"optional": True}],
    [HOME | {"path": "/a-b/c.d/?q=%20&x=/y", "status": 404, "optional": True}],
]
# {the host's reason: lists}
INVALID = {
    "expected a list": ([], {}, "/", None),
    "expected the keys": (
        [[]], ["/"], [{}], [HOME | LINK], [HOME | {"more": 1}],
        *([{key: value for key, value in HOME.items() if key != missing}] for missing in HOME),
        *([HOME, {key: value for key, value in LINK.items() if key != missing}] for missing in LINK),
    ),
    "path must begin with one /": [
        *([HOME | {"path": path}] for path in OTHER),
        *([HOME | {"path": path}] for path in ("/../x", "/a/..", "/a/./b", "/a b", "/a\n", "/é", "/#")),
    ],
    "status must be a number": [[HOME | {"status": status}] for status in (0, 100, 301, 302, 600, "200", True, None)],
    "marker must be a text": [[HOME | {"marker": marker}] for marker in ("", 1, None)],
    "link must be a regular expression": [
        [HOME, LINK | {"link": link}]
        for link in ("[", "/[", "/a{9999999999}", "/" + "(" * 9999, "http://evil.test", "", 1, None)
    ],
    "on must be the path of an earlier page": ([LINK], *([HOME, LINK | {"on": on}] for on in ("/other", [], None))),
    "optional must be true": [[HOME, LINK | {"optional": value}] for value in ("yes", False, 0, None)],
}  # fmt: skip
# Links on a page, which no reader follows.
LINKS_OUT_OF_THE_SITE = ("//evil.test/x", "/../x", "/a#b")
