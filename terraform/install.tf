# The archive of the host's files (scripts/host-archive). The install script downloads it with the
# host's role, because user data is limited to 16 KB (docs/decisions/0015-host-archive-in-s3.md).

data "aws_caller_identity" "current" {}

locals {
  # scripts/infra writes the archive.
  archive        = "${path.module}/.build/host-files.tar.gz"
  archive_sha256 = filesha256(local.archive)
}

resource "aws_s3_bucket" "install" {
  #checkov:skip=CKV_AWS_18:only the host reads the bucket, which contains public files
  #checkov:skip=CKV_AWS_144:make infra can write the object again at any time
  #checkov:skip=CKV_AWS_145:S3's own key is enough, because the files are public
  #checkov:skip=CKV2_AWS_61:checkov does not follow the lifecycle rules through the versioning
  #checkov:skip=CKV2_AWS_62:no service needs its events
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

# Each archive has its own object, so that an install that is running can still download its
# archive.
resource "aws_s3_object" "host_files" {
  bucket = aws_s3_bucket_versioning.install.bucket
  key    = "host-files-${local.archive_sha256}.tar.gz"
  source = local.archive

  # A new object exists before the association refers to it. Terraform deletes the old one last.
  lifecycle { create_before_destroy = true }

  depends_on = [aws_s3_bucket_public_access_block.install, aws_s3_bucket_server_side_encryption_configuration.install]
}
