output "urls" {
  description = "Addresses of dev and prod."
  value       = local.urls
}

output "address" {
  description = "The host's public address."
  value       = aws_eip.host.public_ip
}

output "edge" {
  description = "The distribution: its id, and its domain, to which a CNAME of var.domain points. null without https."
  value       = one([for edge in aws_cloudfront_distribution.shop : { id = edge.id, domain = edge.domain_name }])
}

output "repository" {
  description = "Image repository (DELIVERY_REPOSITORY)."
  value       = aws_ecrpublic_repository.shop.repository_uri
}

output "instance_id" {
  description = "EC2 instance of the host."
  value       = aws_instance.host.id
}

output "installation" {
  description = "The association that installs the host's files, and the version of its document."
  value = {
    association_id   = aws_ssm_association.install.association_id
    document_version = aws_ssm_association.install.document_version
  }
}

output "documents" {
  description = "Systems Manager documents that run the host's verbs."
  value       = { for environment, document in aws_ssm_document.verbs : environment => document.name }
}

output "roles" {
  description = "ARNs of the IAM roles that the workflows assume."
  value       = { for environment, role in aws_iam_role.github : environment => role.arn }
}

output "user_data_bytes" {
  description = "Size of the compressed install script. EC2 allows at most 16384."
  value       = local.user_data_bytes
}
