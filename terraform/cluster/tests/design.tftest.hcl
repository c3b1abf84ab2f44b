# Tests the design of the cluster and its database. All provider calls are mocked, so the tests need
# no network and no credentials, and create nothing.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
  mock_resource "aws_nat_gateway" {
    defaults = { id = "nat-0123456789abcdef0" }
  }
  mock_resource "aws_internet_gateway" {
    defaults = { id = "igw-0123456789abcdef0" }
  }
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "book-shop.example.eu-central-1.rds.amazonaws.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds", kms_key_id = "k", secret_status = "active" }]
    }
  }
  override_resource {
    target = aws_eks_cluster.main
    values = {
      arn        = "arn:aws:eks:eu-central-1:123456789012:cluster/book-shop"
      vpc_config = { cluster_security_group_id = "sg-0fedcba9876543210" }
    }
  }
}

variables {
  deployer_role_arns = ["arn:aws:iam::123456789012:role/book-shop-prod"]
}

run "network" {
  assert {
    condition     = toset([for key, subnet in aws_subnet.all : "${key} ${subnet.cidr_block}"]) == toset(["public-eu-central-1a 10.30.0.0/21", "public-eu-central-1b 10.30.8.0/21", "database-eu-central-1a 10.30.16.0/21", "database-eu-central-1b 10.30.24.0/21", "nodes-eu-central-1a 10.30.64.0/19", "nodes-eu-central-1b 10.30.96.0/19"])
    error_message = "Each of two zones must have three subnets: public, database and nodes."
  }
  assert {
    condition     = alltrue([for key, subnet in aws_subnet.all : subnet.vpc_id == aws_vpc.main.id && !coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "Subnets must not assign public addresses."
  }
  assert {
    condition     = alltrue([for key, subnet in aws_subnet.all : contains(keys(subnet.tags), "kubernetes.io/role/elb") == startswith(key, "public-") && contains(keys(subnet.tags), "kubernetes.io/role/internal-elb") == startswith(key, "nodes-")])
    error_message = "Only the public and the nodes subnets may have the tags for load balancers."
  }
  assert {
    condition     = aws_route.public.gateway_id == "igw-0123456789abcdef0" && aws_route.nodes.nat_gateway_id == "nat-0123456789abcdef0" && aws_route.public.route_table_id == aws_route_table.all["public"].id && aws_route.nodes.route_table_id == aws_route_table.all["nodes"].id
    error_message = "Public subnets must use the internet gateway, nodes the NAT gateway, the database neither."
  }
  assert {
    condition     = alltrue([for key, association in aws_route_table_association.all : association.subnet_id == aws_subnet.all[key].id && association.route_table_id == aws_route_table.all[split("-", key)[0]].id])
    error_message = "Each subnet must use the route table of its network."
  }
  assert {
    condition     = length(coalesce(aws_default_security_group.empty.ingress, [])) == 0 && length(coalesce(aws_default_security_group.empty.egress, [])) == 0
    error_message = "The VPC's default security group must have no rules."
  }
}

run "cluster" {
  assert {
    condition     = aws_eks_cluster.main.compute_config[0].enabled && aws_eks_cluster.main.kubernetes_network_config[0].elastic_load_balancing[0].enabled && aws_eks_cluster.main.storage_config[0].block_storage[0].enabled && aws_eks_cluster.main.bootstrap_self_managed_addons == false
    error_message = "All three parts of Auto Mode must be enabled, without self-managed add-ons."
  }
  assert {
    condition     = aws_eks_cluster.main.access_config[0].authentication_mode == "API"
    error_message = "Access must be granted by access entries only, not by a ConfigMap in the cluster."
  }
  assert {
    condition     = toset(aws_eks_cluster.main.vpc_config[0].subnet_ids) == toset([aws_subnet.all["nodes-eu-central-1a"].id, aws_subnet.all["nodes-eu-central-1b"].id]) && aws_eks_cluster.main.vpc_config[0].endpoint_private_access
    error_message = "Nodes must be in their own subnets and reach the API server through the VPC."
  }
  assert {
    condition     = aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD" && contains(aws_eks_cluster.main.enabled_cluster_log_types, "audit")
    error_message = "The cluster must have standard support and audit logs."
  }
  assert {
    condition     = aws_eks_addon.metrics_server.addon_name == "metrics-server" && aws_eks_addon.metrics_server.cluster_name == aws_eks_cluster.main.name
    error_message = "The autoscaler needs the add-on metrics-server."
  }
}

run "rights" {
  assert {
    condition     = toset([for attached in aws_iam_role_policy_attachment.cluster : attached.policy_arn]) == toset([for name in ["AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"] : "arn:aws:iam::aws:policy/${name}"])
    error_message = "The cluster's role must have the policies that Auto Mode requires, and no others."
  }
  assert {
    condition     = toset([for attached in aws_iam_role_policy_attachment.node : attached.policy_arn]) == toset(["arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"])
    error_message = "Nodes may pull the add-on's image, and nothing else."
  }
  assert {
    condition     = [for entry in aws_eks_access_entry.deployer : "${entry.principal_arn} ${join(",", entry.kubernetes_groups)}"] == ["arn:aws:iam::123456789012:role/book-shop-prod book-shop-deployers"]
    error_message = "A deployer must be in the group to which the namespace's roles are bound."
  }
  assert {
    condition     = [for policy in aws_iam_role_policy.deployer : "${policy.role} ${join(",", jsondecode(policy.policy).Statement[*].Action[0])} ${jsondecode(policy.policy).Statement[0].Resource}"] == ["book-shop-prod eks:DescribeCluster arn:aws:eks:eu-central-1:123456789012:cluster/book-shop"]
    error_message = "In AWS a deployer may describe this cluster, and nothing else."
  }
  assert {
    condition     = flatten([for policy in aws_iam_role_policy.deployer : [for s in jsondecode(policy.policy).Statement : s.Action]]) == ["eks:DescribeCluster"]
    error_message = "No role may read parameters, the Secret or the database's secret: the rights in the cluster come from its group alone."
  }
  assert {
    condition     = jsondecode(aws_iam_role.cluster.assume_role_policy).Statement[0].Principal.Service == "eks.amazonaws.com" && jsondecode(aws_iam_role.node.assume_role_policy).Statement[0].Principal.Service == "ec2.amazonaws.com"
    error_message = "Only EKS may assume the cluster's role, only EC2 the nodes' role."
  }
}

run "no_access_by_default" {
  variables {
    deployer_role_arns = []
  }
  assert {
    condition     = length(aws_eks_access_entry.deployer) == 0 && length(aws_iam_role_policy.deployer) == 0
    error_message = "Without deployer_role_arns, no role may have access."
  }
}

run "database" {
  assert {
    condition     = aws_db_instance.main.publicly_accessible == false && aws_db_instance.main.storage_encrypted && aws_db_instance.main.db_subnet_group_name == aws_db_subnet_group.main.name
    error_message = "The database must have no public address and an encrypted disk."
  }
  assert {
    condition     = toset(aws_db_subnet_group.main.subnet_ids) == toset([aws_subnet.all["database-eu-central-1a"].id, aws_subnet.all["database-eu-central-1b"].id])
    error_message = "The database must be in the subnets without a route to the internet."
  }
  assert {
    condition     = aws_db_instance.main.manage_master_user_password && aws_db_instance.main.password == null
    error_message = "Secrets Manager must create the administrator's password, so that the state does not contain it."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database.referenced_security_group_id == "sg-0fedcba9876543210" && aws_vpc_security_group_ingress_rule.database.security_group_id == aws_security_group.database.id && aws_vpc_security_group_ingress_rule.database.from_port == 5432 && aws_vpc_security_group_ingress_rule.database.to_port == 5432 && aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null
    error_message = "Only the cluster's nodes may connect, and only to PostgreSQL's port."
  }
  assert {
    condition     = aws_db_instance.main.engine == "postgres" && aws_db_instance.main.engine_version == "16"
    error_message = "PostgreSQL must have the host's version, so that the host can restore a dump."
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection && !aws_db_instance.main.skip_final_snapshot && aws_db_instance.main.backup_retention_period == 14 && aws_db_instance.main.multi_az
    error_message = "The database must be protected against deletion, have backups and a standby."
  }
  assert {
    condition     = can(regex("^book-shop-last-[0-9a-f]{8}$", aws_db_instance.main.final_snapshot_identifier)) && endswith(aws_db_instance.main.final_snapshot_identifier, substr(terraform_data.database.id, 0, 8))
    error_message = "The last snapshot must have a name of its own, because that of a previous database remains."
  }
  assert {
    condition     = output.database.secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds" && output.cluster.name == "book-shop"
    error_message = "The outputs must name the database's secret and the cluster."
  }
}

run "unprotected_database" {
  variables {
    database_deletion_protection = false
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection == false && !aws_db_instance.main.skip_final_snapshot
    error_message = "The variable must lift the protection, and keep the last snapshot."
  }
}
