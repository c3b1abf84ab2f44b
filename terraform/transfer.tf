# stdin and stdout of the owner's verbs, such as make dump-prod: Run Command has neither
# (docs/decisions/0084-transfer-through-a-bucket.md). scripts/delivery/transfer.py deletes each object
# after its verb.

resource "aws_s3_bucket" "transfer" {
  #checkov:skip=CKV_AWS_18:the objects exist for seconds, and CloudTrail can record the requests
  #checkov:skip=CKV_AWS_21:no version of a deleted object may remain
  #checkov:skip=CKV_AWS_144:the objects exist for seconds
  #checkov:skip=CKV_AWS_145:S3's own key is enough, because only the owner and the host may read the bucket
  #checkov:skip=CKV2_AWS_62:no service needs its events
  bucket        = "${var.name}-transfer-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "transfer" {
  bucket                  = aws_s3_bucket.transfer.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "transfer" {
  bucket = aws_s3_bucket.transfer.id

  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

# For what an interrupted verb leaves behind.
resource "aws_s3_bucket_lifecycle_configuration" "transfer" {
  bucket = aws_s3_bucket.transfer.id

  rule {
    id     = "left-over"
    status = "Enabled"
    filter {}
    expiration { days = 1 }
    abort_incomplete_multipart_upload { days_after_initiation = 1 }
  }
}

resource "aws_s3_bucket_policy" "transfer" {
  bucket = aws_s3_bucket.transfer.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.transfer.arn, "${aws_s3_bucket.transfer.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.transfer]
}

resource "aws_iam_role_policy" "transfer" {
  name = "transfer"
  role = aws_iam_role.host.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Stdin"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${aws_s3_bucket.transfer.arn}/*/stdin"
      },
      {
        Sid      = "Stdout"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = "${aws_s3_bucket.transfer.arn}/*/stdout"
      },
    ]
  })
}
