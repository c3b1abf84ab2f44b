"""A fake of ECR Public's API on a loopback port (AWS JSON 1.1), as far as Terraform and the verbs need it.

It keeps repositories, their catalogue data and tags, and images as digests with tags. AWS_ENDPOINT_URL_ECR_PUBLIC
points the AWS provider and boto3 at it. Errors have the names that the API model has.
"""

import base64
import hashlib
import time

from fake_api import Api, Refused

ACCOUNT = "123456789012"
ALIAS = "a1b2c3d4"  # of the registry: public.ecr.aws/a1b2c3d4


class EcrPublic(Api):
    def __init__(self):
        super().__init__()
        self.repositories, self.catalog, self.tags, self.images = {}, {}, {}, {}

    def found(self, name):
        if name not in self.repositories:
            raise Refused("RepositoryNotFoundException")
        return self.repositories[name]

    # ---- repositories

    def on_CreateRepository(self, repositoryName, catalogData=None, tags=()):
        if repositoryName in self.repositories:
            raise Refused("RepositoryAlreadyExistsException")
        arn = f"arn:aws:ecr-public::{ACCOUNT}:repository/{repositoryName}"
        self.repositories[repositoryName] = {
            "repositoryArn": arn,
            "registryId": ACCOUNT,
            "repositoryName": repositoryName,
            "repositoryUri": f"public.ecr.aws/{ALIAS}/{repositoryName}",
            "createdAt": time.time(),
        }
        self.catalog[repositoryName], self.tags[arn], self.images[repositoryName] = catalogData or {}, list(tags), {}
        return {"repository": self.repositories[repositoryName], "catalogData": self.catalog[repositoryName]}

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
        self.found(repositoryName)
        return {"catalogData": self.catalog[repositoryName]}

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

    # ---- images: {digest: {"tags": [...], "pushed": seconds, "size": bytes}}

    def on_PutImage(self, repositoryName, imageManifest, imageTag=None, imageManifestMediaType=None, **_):
        self.found(repositoryName)
        digest = "sha256:" + hashlib.sha256(imageManifest.encode()).hexdigest()
        images = self.images[repositoryName]
        if digest in images and (imageTag is None or imageTag in images[digest]["tags"]):
            raise Refused("ImageAlreadyExistsException")
        for image in images.values():  # a tag moves: nothing here is immutable
            image["tags"] = [tag for tag in image["tags"] if tag != imageTag]
        image = images.setdefault(digest, {"tags": [], "pushed": time.time(), "size": len(imageManifest)})
        image["tags"] += [imageTag] if imageTag else []
        named = {"imageDigest": digest, **({"imageTag": imageTag} if imageTag else {})}
        return {"image": {"registryId": ACCOUNT, "repositoryName": repositoryName, "imageId": named}}

    def on_DescribeImages(self, repositoryName, imageIds=None, maxResults=100, nextToken="0", **_):
        self.found(repositoryName)
        images = self.images[repositoryName]
        chosen = list(images) if imageIds is None else [self.digest(images, image) for image in imageIds]
        first = int(nextToken)
        details = [
            {
                "registryId": ACCOUNT,
                "repositoryName": repositoryName,
                "imageDigest": digest,
                **({"imageTags": images[digest]["tags"]} if images[digest]["tags"] else {}),
                "imageSizeInBytes": images[digest]["size"],
                "imagePushedAt": images[digest]["pushed"],
            }
            for digest in chosen[first : first + maxResults]
        ]
        more = {"nextToken": str(first + maxResults)} if first + maxResults < len(chosen) else {}
        return {"imageDetails": details, **more}

    def on_BatchDeleteImage(self, repositoryName, imageIds, **_):
        """By tag: the tag goes, and the image with its last one. By digest: the image goes with all its tags."""
        self.found(repositoryName)
        images, failures = self.images[repositoryName], []
        for image in imageIds:
            try:
                digest = self.digest(images, image)
            except Refused:
                failures.append({"imageId": image, "failureCode": "ImageNotFound", "failureReason": "there is none"})
                continue
            if "imageDigest" not in image:
                images[digest]["tags"].remove(image["imageTag"])
            if "imageDigest" in image or not images[digest]["tags"]:
                del images[digest]
        return {
            "imageIds": [image for image in imageIds if image not in [f["imageId"] for f in failures]],
            "failures": failures,
        }

    @staticmethod
    def digest(images, image):
        for digest, kept in images.items():
            if digest == image.get("imageDigest") or image.get("imageTag") in kept["tags"]:
                return digest
        raise Refused("ImageNotFoundException")

    # ---- login

    def on_GetAuthorizationToken(self):
        token = base64.b64encode(b"AWS:a password").decode()
        return {"authorizationData": {"authorizationToken": token, "expiresAt": time.time() + 12 * 3600}}
