# RDS would compute max_connections from the memory that its own processes leave, which AWS does not
# document. docs/decisions/0068-budget-of-connections.md has the budget.
locals {
  connections = 100
}

resource "aws_db_parameter_group" "main" {
  name   = var.name
  family = "postgres16"

  parameter {
    name         = "max_connections"
    value        = local.connections
    apply_method = "pending-reboot" # PostgreSQL reads it when it starts
  }
}
