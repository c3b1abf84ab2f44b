# ECR Public has no immutable tags and no lifecycle rules: scripts/promote and scripts/push move no tag, scripts/prune deletes.
resource "aws_ecrpublic_repository" "shop" {
  provider        = aws.us_east_1
  repository_name = var.name
  # `scripts/infra destroy` asks for the name first; without this it would stop half-way at the first image.
  force_destroy = true

  catalog_data {
    description       = "Book shop: a Django application on gunicorn"
    about_text        = "Snapshots (VERSION-SNAPSHOT-COMMIT) run on port 8080, releases (VERSION) on port 80. A release is a snapshot's digest under one more tag."
    usage_text        = "docker run -e SECRET_KEY=... -e ALLOWED_HOSTS=localhost -p 8000:8000 <repository>:<tag>"
    architectures     = ["x86-64"]
    operating_systems = ["Linux"]
  }
}
