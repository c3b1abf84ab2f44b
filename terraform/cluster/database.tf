resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = [for key, subnet in local.subnets : aws_subnet.all[key].id if subnet.network == "database"]
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "In: PostgreSQL from the cluster's nodes. Out: nothing."
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-database" }
}

# In Auto Mode the nodes and their pods are in the cluster's security group.
resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_118:CloudWatch's own metrics are free and enough for a small shop
  #checkov:skip=CKV_AWS_353:CloudWatch's own metrics are free and enough for a small shop
  #checkov:skip=CKV2_AWS_69:since PostgreSQL 15, RDS requires TLS by default
  #checkov:skip=CKV_AWS_161:the shop's role has its own password, in a Secret of the cluster
  identifier     = var.name
  engine         = "postgres"
  engine_version = "16" # reviewed 2026-11-27; as on the host, where pg_restore cannot read dumps of a newer server
  instance_class = var.database_class

  allocated_storage     = 20
  max_allocated_storage = 100
  storage_type          = "gp3"
  storage_encrypted     = true

  # Secrets Manager creates, stores and rotates the administrator's password. The shop uses its own
  # roles (make cluster-data-create), whose password make rotate-prod replaces.
  username                    = "postgres"
  manage_master_user_password = true

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.main.name
  publicly_accessible    = false
  multi_az               = var.database_multi_az

  backup_retention_period         = 14
  backup_window                   = "03:00-03:30" # UTC, as on the host
  maintenance_window              = "tue:04:00-tue:04:30"
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  copy_tags_to_snapshot           = true

  deletion_protection       = var.database_deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = local.final_snapshot
}

# RDS refuses a snapshot under an existing name, and that of a previous database remains.
resource "terraform_data" "database" {}

locals {
  final_snapshot = "${var.name}-last-${substr(terraform_data.database.id, 0, 8)}"
}
