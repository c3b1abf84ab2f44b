output "urls" {
  description = "Where the shop is served."
  value = {
    dev  = "http://${aws_instance.host.public_ip}:${local.application.ports.dev}"
    prod = "http://${aws_instance.host.public_ip}"
  }
}

output "repository" {
  description = "DELIVERY_REPOSITORY for make."
  value       = aws_ecrpublic_repository.shop.repository_uri
}

output "instance_id" {
  description = "The host."
  value       = aws_instance.host.id
}

output "documents" {
  description = "Systems Manager documents that run the host's verbs."
  value       = { for environment, document in aws_ssm_document.verbs : environment => document.name }
}

output "roles" {
  description = "What the workflows assume."
  value       = { for environment, role in aws_iam_role.github : environment => role.arn }
}

output "user_data_bytes" {
  description = "Size of the compressed install script; EC2 takes 16384."
  value       = local.user_data_bytes
}
