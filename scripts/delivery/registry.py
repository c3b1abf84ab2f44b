"""A repository in a registry, over the OCI Distribution API (distribution-spec 1.1, image-spec 1.1).

`shop()` returns the application's registry. Only the standard library is used, because most of a verb's
time is its start-up. Docker's image manifest v2 schema 2 is accepted too. Like the Docker engine, the
client uses http for localhost and 127.0.0.0/8 and https for all other hosts. Every error raised is a
CommandError: BadReference, Unreachable, Denied, NotFound, Moved or Unexpected.
"""

import base64
import contextlib
import errno
import http.client
import json
import os
import re
import socket
import time
from collections import namedtuple
from urllib.parse import urlencode, urljoin, urlsplit

from delivery import connection, references
from delivery.cli import CommandError, log, required_variable
from delivery.connection import LOOPBACK
from delivery.references import DIGEST, TAG, BadReference

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
IMAGES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = {"Accept": ", ".join(INDEXES + IMAGES)}

TIMEOUT = 10  # seconds to connect, and for each read
PAUSES = (0.2, 0.5, 1.0)  # seconds before each retry
# Seconds before each retry of a 429. ECR Public limits requests per second and sends no Retry-After.
THROTTLED = (1, 3, 8)
LONGEST_PAUSE = 20  # seconds; the longest Retry-After that is followed
LARGEST = 4 << 20  # bytes; the specification's limit for a manifest, far above any image config
REDIRECTS = 5

# Patterns that few verbs need; re compiles them when they are first used.
NEXT = r'<([^>]*)>\s*;[^,]*\brel="?next\b'  # a Link (RFC 8288)
TUNNEL = r"Tunnel connection failed: ([0-9]{3})"  # the message of http.client
PARAMETER = r'(\w+)=(?:"([^"]*)"|([^\s,]+))'
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)


class Unreachable(CommandError):
    """No registry answered: connection refused, unknown name, a connection that broke on every try, or 429."""


class NoConnection(Unreachable):
    """This machine has no connection to the registry: no network, no name service, no route, or a proxy forbids it."""


class ConnectTimeout(TimeoutError):
    """No connection was established in time."""


class Denied(CommandError):
    """The registry refused the credentials, or requires some (401, 403)."""


class NotFound(CommandError):
    """The registry has no such manifest or blob (404)."""


class Moved(CommandError):
    """A tag that was just written has another digest, because another process wrote it too."""


class Unexpected(CommandError):
    """An answer that violates the specification, or content that does not have its digest."""


class Manifest(namedtuple("Manifest", "digest media_type body")):
    """A manifest: `digest` is that of `body` (bytes), `media_type` is its exact Content-Type."""


class Image(namedtuple("Image", "digest tags pushed", defaults=[None])):
    """An image in a listing: `tags` is a tuple, `pushed` a Unix time in seconds, or None if unknown."""


Answer = namedtuple("Answer", "status headers body")  # headers is a http.client.HTTPMessage, body is bytes


def shop():
    """Returns the Registry of DELIVERY_REPOSITORY; if it is unset and DELIVERY_HOST=aws, that of the AWS account.

    Raises CommandError.
    """
    if os.environ.get("DELIVERY_HOST") == "aws" and not os.environ.get("DELIVERY_REPOSITORY"):
        from delivery import ecr  # imports boto3, which is slow

        return ecr.EcrPublic(ecr.repository())
    repository = required_variable("DELIVERY_REPOSITORY")
    if references.repository(repository).host != "public.ecr.aws":
        return Registry(repository)
    from delivery import ecr

    return ecr.EcrPublic(repository)


def digest_of(body):
    """The digest of bytes, in the form of image-spec's descriptors."""
    import hashlib  # slow to import, and most verbs compare digests without computing one

    return "sha256:" + hashlib.sha256(body).hexdigest()


class Client:
    """Sends requests over connections that it keeps."""

    def __init__(self, sleep=time.sleep):
        self._sleep, self._connections = sleep, {}

    def exchange(self, method, url, headers, body):
        """Sends a request and returns its answer. Retries broken connections, 429 and 5xx a few times.

        All requests are idempotent, PUT and DELETE of a manifest included (RFC 9110, 9.2.2).
        """
        scheme, host = urlsplit(url)[:2]
        route = connection.route(scheme, host)
        remedy = "make demo" if LOOPBACK.fullmatch(host) else f"check the network: curl -I https://{host}/v2/"
        for pause, longer in zip((*PAUSES, None), (*THROTTLED, None), strict=True):
            try:
                answer = self._once(method, url, headers, body)
            except (OSError, http.client.HTTPException) as error:
                is_lasting = not may_pass(error)
                if is_lasting or pause is None:
                    kind = NoConnection if is_no_connection(error) else Unreachable
                    what, why = f"cannot reach the registry at {host}", f"{error}{route}"
                    if not is_lasting:
                        what = f"the connection to the registry at {host} failed"
                        why = f"{len(PAUSES) + 1} tries of {method} failed, the last by {type(error).__name__}: {why}"
                    raise kind(what, why, remedy) from None
                pause = longer if tunnel_status(error) == 429 else pause
            else:
                if pause is None or not (answer.status == 429 or answer.status >= 500):
                    return answer
                after = answer.headers.get("Retry-After", "")
                pause = longer if answer.status == 429 else pause
                pause = max(pause, min(int(after), LONGEST_PAUSE)) if after.isdecimal() else pause
            self._sleep(pause)

    def _once(self, method, url, headers, body):
        """Sends a request over a kept connection, which is closed when it fails."""
        target = urlsplit(url)
        kept = target[:2]
        if kept not in self._connections:
            self._connections[kept] = connection.connect(*kept, TIMEOUT)
        kept_connection = self._connections[kept]
        try:
            kept_connection.request(method, target.path + (f"?{target.query}" if target.query else ""), body, headers)
            response = kept_connection.getresponse()
            if (response.length or 0) > LARGEST:
                why = f"the answer to {method} {target.path} is larger than {LARGEST} bytes"
                raise Unexpected(f"invalid answer of {target.netloc}", why, "check the registry's log")
            # With a Content-Length, read everything: then http.client reports a truncated body.
            content = response.read() if response.length is not None else response.read(LARGEST)
        except BaseException as error:
            established = kept_connection.sock is not None
            kept_connection.close()
            del self._connections[kept]
            if isinstance(error, TimeoutError) and not established:
                raise ConnectTimeout(*error.args) from None
            raise
        return Answer(response.status, response.headers, content)


class Registry(Client):
    """One repository (`host[:port]/name`) of one registry.

    `credential` is called at most once per challenge of the registry. It returns (user, password), or None if
    there are no credentials; then tokens are requested anonymously.
    """

    LAG = ()  # seconds before each further read of a tag that was just written

    def __init__(self, repository, credential=None, sleep=time.sleep):
        self.repository = references.repository(repository)
        self.scheme = "http" if LOOPBACK.fullmatch(self.repository.host) else "https"
        super().__init__(sleep)
        self._credential, self._authorization = credential, None

    def image(self, digest):
        """repository@digest, the only form in which verbs pass an image on."""
        return f"{self.repository}@{digest}"

    def named(self, name, remedy="make history-dev history-prod"):
        """repository@digest of an image that a user names by its tag or by repository@digest.

        Raises BadReference for another repository or an invalid name, NotFound when there is no such tag.
        """
        if "@" in name:
            repository, digest = references.image(name)
            if repository != self.repository:
                why = f"this shop's repository is {self.repository}"
                raise BadReference(f"'{name}' belongs to another repository", why, "set DELIVERY_REPOSITORY")
            return self.image(digest)
        if digest := self.awaited_digest(name):
            return self.image(digest)
        raise NotFound(f"{self.repository} has no tag {name}", "it was never pushed or promoted", remedy)

    def digest(self, tag):
        """The digest of a tag, or None when there is no such tag.

        Reads the manifest only if the registry omits Docker-Content-Digest, which the specification permits.
        """
        answer = self._ask("HEAD", f"manifests/{references.tag(tag)}", ok=(200, 404), headers=ACCEPT)
        if answer.status == 404:
            return None
        return self._digest_header(answer) or self.manifest(tag).digest

    def recorded_digest(self, tag):
        """As digest(), but never from a cache. Decisions to write are based on it."""
        return self.digest(tag)

    def awaited_digest(self, tag):
        """As recorded_digest(), for a tag that may just have been written: retries if it is missing."""
        for pause in self.LAG:
            if digest := self.recorded_digest(tag):
                return digest
            log(f"{self.repository.host} has no tag {tag} yet")
            self._sleep(pause)
        return self.recorded_digest(tag)

    def manifest(self, reference):
        """The Manifest of a tag or a digest. Raises NotFound, or Unexpected when its content has another digest."""
        if not DIGEST.fullmatch(reference):
            references.tag(reference)
        answer = self._ask("GET", f"manifests/{reference}", ok=(200,), headers=ACCEPT)
        media_type = answer.headers.get("Content-Type", "")
        if kind(media_type) not in INDEXES + IMAGES:
            raise self._unexpected(f"manifest {reference}", f"its media type is '{media_type}'")
        digest = digest_of(answer.body)
        for expected in (reference if DIGEST.fullmatch(reference) else None, self._digest_header(answer)):
            if expected not in (None, digest):
                raise self._unexpected(f"manifest {reference}", f"its bytes have the digest {digest}, not {expected}")
        return Manifest(digest, media_type, answer.body)

    def tag(self, manifest, tag):
        """Gives a manifest of this repository one more tag. The digest stays the same, and no layer is copied.

        An existing tag is moved: callers check first. Raises Unexpected when the registry answers with
        another digest, and Moved when the tag has another digest afterwards.
        """
        path = f"manifests/{references.tag(tag)}"
        answer = self._ask("PUT", path, ok=(201,), headers={"Content-Type": manifest.media_type}, body=manifest.body)
        digest = self._digest_header(answer)
        if digest not in (None, manifest.digest):
            raise self._unexpected(f"tag {tag}", f"the registry stored {digest} instead of {manifest.digest}")
        self.check_tag(tag, [manifest.digest])

    def check_tag(self, tag, digests):
        """Reads back a tag that was just written and returns its digest.

        Raises Moved unless it is one of `digests`. OCI registries have no conditional writes: if two
        processes write one tag, both succeed, and the first one detects it here.
        """
        digest = self.awaited_digest(tag)
        if digest in digests:
            return digest
        what = f"{self.repository}:{tag} is not the image that was written"
        written = " or ".join(digests)
        why = f"{written} was written, and it is {digest or 'gone'}: another process wrote it at the same time"
        raise Moved(what, why, "make history-dev history-prod shows who deploys; then run the command again")

    def tags(self):
        """All tags, page by page ("Listing tags"). A repository that does not exist has none."""
        tags, query = [], "n=100"
        while query:
            answer = self._ask("GET", f"tags/list?{query}", ok=(200, 404))
            if answer.status == 404:
                break
            try:
                page = json.loads(answer.body)["tags"] or []
                if invalid := [tag for tag in page if not TAG.fullmatch(tag)]:
                    raise ValueError(f"'{invalid[0]}' is not a valid tag")
            except (KeyError, TypeError, ValueError) as error:
                raise self._unexpected("list of tags", f"{type(error).__name__}: {error}") from None
            new = [tag for tag in page if tag not in tags]
            tags += new
            link = re.search(NEXT, answer.headers.get("Link", ""))
            query = urlsplit(link[1]).query if link and new else None
        return tags

    def images(self):
        """All images that have a tag, as Image."""
        tags = {}
        for tag in self.tags():
            if digest := self.digest(tag):  # it may have been deleted meanwhile
                tags.setdefault(digest, []).append(tag)
        return [Image(digest, tuple(names)) for digest, names in tags.items()]

    def delete(self, images):
        """Deletes images, as images() listed them, with all their tags.

        Deleting a digest deletes all of its tags. Raises CommandError before anything is deleted when one of
        the images has got another tag since.
        """
        tags = {image.digest: set(image.tags) for image in self.images()}
        for image in images:
            if more := tags.get(image.digest, set()) - set(image.tags):
                why = f"{image.digest} has been given the tag {', '.join(sorted(more))}"
                raise CommandError(f"{self.repository} has changed: nothing was deleted", why, "run the command again")
        for image in images:
            answer = self._ask("DELETE", f"manifests/{image.digest}", ok=(202, 404, 405))
            if answer.status == 405:
                why = f"it answers DELETE with 405 {complaint(answer.body)}".strip()
                remedy = "set storage.delete.enabled in the registry's configuration"
                raise CommandError(f"{self.repository.host} does not allow deletion", why, remedy)

    @contextlib.contextmanager
    def engine(self):
        """The environment variables with which `docker` can push here, for as long as the context lasts."""
        yield dict(os.environ)

    def labels(self, reference):
        """The labels in the config (image-spec) of the image of a tag or a digest.

        Of an index, the linux/amd64 image is read, or its only image. Raises NotFound, or Unexpected when the
        content violates the specification.
        """
        return self.labels_of(self.manifest(reference), reference)

    def labels_of(self, manifest, reference):
        """As `labels`, of the Manifest of a tag or a digest."""
        try:
            if kind(manifest.media_type) in INDEXES:
                manifest = self.manifest(chosen(json.loads(manifest.body)["manifests"]))
            config = json.loads(manifest.body)["config"]["digest"]
            if not DIGEST.fullmatch(config):
                raise ValueError(f"{config} is not a sha256 digest")
            blob = self._ask("GET", f"blobs/{config}", ok=(200,)).body
            if digest_of(blob) != config:
                raise ValueError(f"its config has the digest {digest_of(blob)}, not {config}")
            return dict(json.loads(blob).get("config", {}).get("Labels") or {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # ValueError: JSON and UTF-8 as well
            raise self._unexpected(f"image {reference}", f"{type(error).__name__}: {error}") from None

    def _digest_header(self, answer):
        """The digest in the Docker-Content-Digest header of an answer, or None."""
        digest = answer.headers.get("Docker-Content-Digest")
        if digest is None or DIGEST.fullmatch(digest):
            return digest
        raise self._unexpected("digest", f"'{digest}' is not a sha256 digest")

    def _unexpected(self, what, why):
        return Unexpected(f"{self.repository}: invalid {what}", why, "check the registry's log")

    def _ask(self, method, path, ok, headers=None, body=None):
        """Sends a request about the repository, with authorization if required. Raises if the status is not in ok."""
        url = f"{self.scheme}://{self.repository.host}/v2/{self.repository.name}/{path}"
        answer = self._follow(method, url, headers or {}, body)
        if answer.status == 401:  # or the token has expired, or permits reading only
            self._authorization = self._authorize(answer.headers.get("WWW-Authenticate", ""))
            answer = self._follow(method, url, headers or {}, body)
        if answer.status in ok:
            return answer
        why = f"{method} {path} was answered {answer.status} {complaint(answer.body)}".strip()
        if answer.status in (401, 403):
            raise Denied(f"{self.repository}: access denied", why, f"check the credentials for {self.repository.host}")
        if answer.status == 429:
            what = f"too many requests to {self.repository.host}"
            raise Unreachable(what, why, "run the command again in a minute")
        if answer.status == 404:
            raise NotFound(f"{self.repository} has no {path}", why, "make image push")
        raise self._unexpected("answer", why)

    def _authorize(self, challenge):
        """The Authorization header for a challenge (RFC 9110, 11.6.1): Basic, or Bearer by the token protocol.

        The token protocol: GET realm?service&scope, with the credentials if there are any, returns
        {"token": …} or {"access_token": …}.
        """
        scheme, _, rest = challenge.partition(" ")
        parameters = {key.lower(): quoted or bare for key, quoted, bare in re.findall(PARAMETER, rest)}
        credential = self._credential and self._credential()
        basic = credential and "Basic " + base64.b64encode(":".join(credential).encode()).decode()
        if scheme.lower() == "basic" and basic:
            return basic
        if scheme.lower() != "bearer" or "realm" not in parameters:
            why = f"it requires '{challenge}'" if challenge else "it answers 401 without WWW-Authenticate"
            raise Denied(f"{self.repository}: access denied", why, f"check the credentials for {self.repository.host}")
        realm = urlsplit(parameters["realm"])
        if realm.scheme != "https" and not LOOPBACK.fullmatch(realm.netloc):
            why = f"{parameters['realm']} is not https, so no credentials are sent to it"
            raise self._unexpected("token service", why)
        query = urlencode({key: parameters[key] for key in ("service", "scope") if key in parameters})
        url = f"{parameters['realm']}{'&' if realm.query else '?'}{query}"
        answer = self.exchange("GET", url, {"Authorization": basic} if basic else {}, None)
        if answer.status != 200:
            why = f"{realm.netloc} returned no token: {answer.status} {complaint(answer.body)}".strip()
            raise Denied(f"{self.repository}: access denied", why, f"check the credentials for {self.repository.host}")
        try:
            content = json.loads(answer.body)
            return "Bearer " + (content.get("token") or content["access_token"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unexpected("token", f"the answer of {realm.netloc} contains no token") from None

    def _follow(self, method, url, headers, body):
        """Follows the redirects of reads: blobs may be stored elsewhere. Only the registry receives the token."""
        registry = urlsplit(url)[:2]
        for _ in range(REDIRECTS + 1):
            trusted = self._authorization and urlsplit(url)[:2] == registry
            token = {"Authorization": self._authorization} if trusted else {}
            answer = self.exchange(method, url, headers | token, body)
            if method in ("PUT", "DELETE") or answer.status not in (301, 302, 303, 307, 308):
                return answer
            url = urljoin(url, answer.headers.get("Location", ""))
            if urlsplit(url).scheme not in (self.scheme, "https"):
                raise self._unexpected("answer", f"it redirects to {url}")
        raise self._unexpected("answer", f"more than {REDIRECTS} redirects")


def may_pass(error):
    """Whether a request that failed with this error may succeed if it is sent again.

    Other errors are: nothing listens, no name, no route, a proxy that refuses, an untrusted certificate.
    """
    if isinstance(error, ConnectionRefusedError):
        return False
    is_broken = isinstance(error, (ConnectionError, TimeoutError, http.client.HTTPException))
    status = tunnel_status(error)
    return is_broken or status == 429 or status >= 500


def is_no_connection(error):
    """Whether an error means that this machine has no connection to that host at all."""
    if isinstance(error, (ConnectionRefusedError, ConnectTimeout, socket.gaierror)):
        return True
    return error.errno in NO_ROUTE if isinstance(error, OSError) and error.errno else tunnel_status(error) == 403


def tunnel_status(error):
    """The status with which a proxy refused a tunnel (RFC 9110, 9.3.6); 0 for other errors."""
    refused = re.match(TUNNEL, str(error))
    return int(refused[1]) if refused else 0


def kind(media_type):
    """A media type without parameters."""
    return media_type.partition(";")[0].strip().lower()


def chosen(entries):
    """The digest of the linux/amd64 image in an index's manifests (image-spec), or of the only image.

    Attestations, which BuildKit lists as images of platform unknown/unknown, are ignored. Raises ValueError.
    """
    platforms = {}
    for entry in entries:
        platform = entry.get("platform", {})
        platforms[platform.get("os"), platform.get("architecture")] = entry["digest"]
    platforms.pop(("unknown", "unknown"), None)
    if len(platforms) == 1:
        return next(iter(platforms.values()))
    if ("linux", "amd64") in platforms:
        return platforms["linux", "amd64"]
    raise ValueError(f"an index of {len(platforms)} images, none for linux/amd64")


def complaint(body):
    """The codes and messages in an error body ({"errors": [{"code", "message"}]}), or "" if it has none."""
    try:
        return "; ".join(f"{error['code']}: {error.get('message', '')}" for error in json.loads(body)["errors"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
