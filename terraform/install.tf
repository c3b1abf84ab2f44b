# The archive of the host's files (scripts/host-archive), which the install script fetches by the host's role. User data has room
# for 16 KB only.

data "aws_caller_identity" "current" {}

locals {
  # Written by scripts/infra, as .build/user-data is.
  archive        = "${path.module}/.build/host-files.tar.gz"
  archive_sha256 = filesha256(local.archive)
}

resource "aws_s3_bucket" "install" {
  #checkov:skip=CKV_AWS_18:no access log: the host reads one object, which is this public repository's
  #checkov:skip=CKV_AWS_144:no copy in another region: `make infra` writes the object again
  #checkov:skip=CKV_AWS_145:S3's own key suffices: the repository's files are public
  #checkov:skip=CKV2_AWS_62:nothing waits for its events
  bucket        = "${var.name}-install-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "install" {
  bucket                  = aws_s3_bucket.install.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "install" {
  bucket = aws_s3_bucket.install.id

  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "install" {
  bucket = aws_s3_bucket.install.id

  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "install" {
  bucket = aws_s3_bucket_versioning.install.bucket

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration { noncurrent_days = 30 }
    abort_incomplete_multipart_upload { days_after_initiation = 1 }
  }
}

# One object for each content: an install script that is running finds the archive that it names.
resource "aws_s3_object" "host_files" {
  #checkov:skip=CKV_AWS_186:S3's own key, as for the bucket
  bucket = aws_s3_bucket_versioning.install.bucket
  key    = "host-files-${local.archive_sha256}.tar.gz"
  source = local.archive

  # The old object is deleted last, when every host has installed the new one.
  lifecycle { create_before_destroy = true }

  depends_on = [aws_s3_bucket_public_access_block.install, aws_s3_bucket_server_side_encryption_configuration.install]
}
