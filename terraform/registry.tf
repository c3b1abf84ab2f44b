# ECR Public has no immutable tags and no lifecycle rules. So scripts/push and scripts/promote
# refuse to move a tag, and scripts/prune deletes old images.
resource "aws_ecrpublic_repository" "shop" {
  provider        = aws.us_east_1
  repository_name = var.name
  # Without this, terraform destroy fails if the repository has images. scripts/infra asks first.
  force_destroy = true

  catalog_data {
    description       = "Book shop: a Django application on gunicorn"
    about_text        = "Snapshots (VERSION-SNAPSHOT-COMMIT) run in dev, releases (VERSION) in prod. A release has the digest of its snapshot."
    usage_text        = "docker run -e SECRET_KEY=... -e ALLOWED_HOSTS=localhost -p 8000:8000 <repository>:<tag>"
    architectures     = ["x86-64"]
    operating_systems = ["Linux"]
  }
}
