"""A fake of ECR Public's API on a loopback port, as far as Terraform and the verbs need it.

AWS_ENDPOINT_URL_ECR_PUBLIC points the AWS provider and boto3 at it. Errors have the names that the API model has.
"""

import base64
import hashlib
import time

import oci
from fake_api import Api, Refused

ACCOUNT = "123456789012"
ALIAS = "a1b2c3d4"  # of the registry: public.ecr.aws/a1b2c3d4


class EcrPublic(Api):
    """`repositories`, `catalog` and `images` are by name, `tags` by ARN; the images of a repository are
    {digest: {"tags": [...], "pushed": seconds, "size": bytes}}. `upstream` is the address of a registry, or None: the
    API then knows the images that were pushed there, as in AWS."""

    def __init__(self):
        super().__init__()
        self.repositories, self.catalog, self.tags, self.images = {}, {}, {}, {}
        self.upstream = None

    def found(self, name, there=None):
        """The entry of a repository in one of these dictionaries. Raises Refused if there is no such repository."""
        if name not in self.repositories:
            raise Refused("RepositoryNotFoundException")
        return (self.repositories if there is None else there)[name]

    def on_CreateRepository(self, repositoryName, catalogData=None, tags=()):
        if repositoryName in self.repositories:
            raise Refused("RepositoryAlreadyExistsException")
        arn = f"arn:aws:ecr-public::{ACCOUNT}:repository/{repositoryName}"
        uri = f"public.ecr.aws/{ALIAS}/{repositoryName}"
        names = {"repositoryArn": arn, "repositoryName": repositoryName, "repositoryUri": uri}
        repository = names | {"registryId": ACCOUNT, "createdAt": time.time()}
        self.repositories[repositoryName], self.catalog[repositoryName] = repository, catalogData or {}
        self.tags[arn], self.images[repositoryName] = list(tags), {}
        return {"repository": repository, "catalogData": self.catalog[repositoryName]}

    def on_DescribeRepositories(self, repositoryNames=None, **_):
        return {"repositories": [self.found(name) for name in repositoryNames or list(self.repositories)]}

    def on_DeleteRepository(self, repositoryName, force=False, **_):
        repository = self.found(repositoryName)
        if self.images[repositoryName] and not force:
            raise Refused("RepositoryNotEmptyException")
        for kept in (self.repositories, self.catalog, self.images):
            del kept[repositoryName]
        return {"repository": repository}

    def on_GetRepositoryCatalogData(self, repositoryName, **_):
        return {"catalogData": self.found(repositoryName, self.catalog)}

    def on_PutRepositoryCatalogData(self, repositoryName, catalogData, **_):
        self.found(repositoryName)
        self.catalog[repositoryName] = catalogData
        return {"catalogData": catalogData}

    def on_ListTagsForResource(self, resourceArn):
        return {"tags": self.tags[resourceArn]}

    def on_TagResource(self, resourceArn, tags):
        new = {tag["Key"] for tag in tags}
        self.tags[resourceArn] = [tag for tag in self.tags[resourceArn] if tag["Key"] not in new] + tags
        return {}

    def on_PutImage(self, repositoryName, imageManifest, imageTag=None, **_):
        images = self.found(repositoryName, self.images)
        digest = "sha256:" + hashlib.sha256(imageManifest.encode()).hexdigest()
        if digest in images and (imageTag is None or imageTag in images[digest]["tags"]):
            raise Refused("ImageAlreadyExistsException")
        for image in images.values():  # a tag moves: nothing here is immutable
            image["tags"] = [tag for tag in image["tags"] if tag != imageTag]
        image = images.setdefault(digest, {"tags": [], "pushed": time.time(), "size": len(imageManifest)})
        named = {"imageTag": imageTag} if imageTag else {}
        image["tags"] += named.values()
        image_id = {"imageDigest": digest} | named
        return {"image": {"registryId": ACCOUNT, "repositoryName": repositoryName, "imageId": image_id}}

    def learn(self, name):
        """Adds the images that were pushed to `upstream`."""
        images, pushed = self.found(name, self.images), f"{self.upstream}/{ALIAS}/{name}"
        for tag in oci.tags(pushed):
            new = {"tags": [], "pushed": 1700000000 + len(images), "size": 1}
            image = images.setdefault(oci.digest(f"{pushed}:{tag}"), new)
            image["tags"] = sorted({*image["tags"], tag})

    def on_DescribeImages(self, repositoryName, imageIds=None, maxResults=100, nextToken="0", **_):
        images = self.found(repositoryName, self.images)
        if self.upstream:
            self.learn(repositoryName)
        chosen = list(images) if imageIds is None else [self.digest(images, image) for image in imageIds]
        first, end = int(nextToken), int(nextToken) + maxResults
        details = []
        for digest in chosen[first:end]:
            image, names = images[digest], {"registryId": ACCOUNT, "repositoryName": repositoryName}
            tags = {"imageTags": image["tags"]} if image["tags"] else {}
            size, pushed = {"imageSizeInBytes": image["size"]}, {"imagePushedAt": image["pushed"]}
            details.append(names | {"imageDigest": digest} | tags | size | pushed)
        return {"imageDetails": details} | ({"nextToken": str(end)} if end < len(chosen) else {})

    def on_BatchDeleteImage(self, repositoryName, imageIds, **_):
        """By tag, deletes the tag, and the image with its last one; by digest, the image with all its tags."""
        images, deleted, failures = self.found(repositoryName, self.images), [], []
        for image in imageIds:
            try:
                digest = self.digest(images, image)
            except Refused:
                failures.append({"imageId": image, "failureCode": "ImageNotFound", "failureReason": "there is none"})
                continue
            deleted.append(image)
            if "imageDigest" not in image:
                images[digest]["tags"].remove(image["imageTag"])
            if "imageDigest" in image or not images[digest]["tags"]:
                del images[digest]
        return {"imageIds": deleted, "failures": failures}

    @staticmethod
    def digest(images, image):
        for digest, kept in images.items():
            if digest == image.get("imageDigest") or image.get("imageTag") in kept["tags"]:
                return digest
        raise Refused("ImageNotFoundException")

    def on_GetAuthorizationToken(self):
        token = base64.b64encode(b"AWS:a password").decode()
        return {"authorizationData": {"authorizationToken": token, "expiresAt": time.time() + 12 * 3600}}
