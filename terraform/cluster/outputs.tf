output "cluster" {
  description = "What aws eks update-kubeconfig is asked for, and DELIVERY_CLUSTER for make."
  value       = { name = aws_eks_cluster.main.name, region = var.region, arn = aws_eks_cluster.main.arn }
}

output "database" {
  description = "Where PostgreSQL is, and the secret that has its administrator's password."
  value = {
    address    = aws_db_instance.main.address
    port       = aws_db_instance.main.port
    secret_arn = aws_db_instance.main.master_user_secret[0].secret_arn
  }
}
