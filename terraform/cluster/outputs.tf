output "cluster" {
  description = "The cluster's name, its region and its ARN, which is the name of kubectl's context (DELIVERY_CLUSTER)."
  value       = { name = aws_eks_cluster.main.name, region = var.region, arn = aws_eks_cluster.main.arn }
}

output "database" {
  description = "The address of PostgreSQL and the secret that contains the administrator's password."
  value = {
    address    = aws_db_instance.main.address
    port       = aws_db_instance.main.port
    secret_arn = aws_db_instance.main.master_user_secret[0].secret_arn
  }
}
