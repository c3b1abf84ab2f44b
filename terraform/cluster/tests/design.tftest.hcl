# What the cluster and its database have to be. Every provider call is mocked: no network, no keys; `apply` makes nothing.

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
    error_message = "Three subnets in each of two zones: load balancers, database, nodes."
  }
  assert {
    condition     = alltrue([for key, subnet in aws_subnet.all : subnet.vpc_id == aws_vpc.main.id && !coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "Nothing that starts in a subnet gets a public address."
  }
  assert {
    condition     = alltrue([for key, subnet in aws_subnet.all : contains(keys(subnet.tags), "kubernetes.io/role/elb") == startswith(key, "public-") && contains(keys(subnet.tags), "kubernetes.io/role/internal-elb") == startswith(key, "nodes-")])
    error_message = "EKS finds where load balancers may lie by these tags, and none lies beside the database."
  }
  assert {
    condition     = aws_route.public.gateway_id == "igw-0123456789abcdef0" && aws_route.nodes.nat_gateway_id == "nat-0123456789abcdef0" && aws_route.public.route_table_id == aws_route_table.all["public"].id && aws_route.nodes.route_table_id == aws_route_table.all["nodes"].id
    error_message = "Out: public subnets through the internet gateway, nodes through NAT, the database nowhere."
  }
  assert {
    condition     = alltrue([for key, association in aws_route_table_association.all : association.subnet_id == aws_subnet.all[key].id && association.route_table_id == aws_route_table.all[split("-", key)[0]].id])
    error_message = "Each subnet has its network's routes."
  }
  assert {
    condition     = length(coalesce(aws_default_security_group.empty.ingress, [])) == 0 && length(coalesce(aws_default_security_group.empty.egress, [])) == 0
    error_message = "The VPC's default group lets nothing through."
  }
}

run "cluster" {
  assert {
    condition     = aws_eks_cluster.main.compute_config[0].enabled && aws_eks_cluster.main.kubernetes_network_config[0].elastic_load_balancing[0].enabled && aws_eks_cluster.main.storage_config[0].block_storage[0].enabled && aws_eks_cluster.main.bootstrap_self_managed_addons == false
    error_message = "Auto Mode: all three parts of it, and no add-ons of our own beside them."
  }
  assert {
    condition     = aws_eks_cluster.main.access_config[0].authentication_mode == "API"
    error_message = "Access is given by access entries alone, not by a ConfigMap in the cluster."
  }
  assert {
    condition     = toset(aws_eks_cluster.main.vpc_config[0].subnet_ids) == toset([aws_subnet.all["nodes-eu-central-1a"].id, aws_subnet.all["nodes-eu-central-1b"].id]) && aws_eks_cluster.main.vpc_config[0].endpoint_private_access
    error_message = "Nodes lie in their own subnets, and reach the API server from inside."
  }
  assert {
    condition     = aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD" && contains(aws_eks_cluster.main.enabled_cluster_log_types, "audit")
    error_message = "Standard support, and a record of who asked what."
  }
  assert {
    condition     = aws_eks_addon.metrics_server.addon_name == "metrics-server" && aws_eks_addon.metrics_server.cluster_name == aws_eks_cluster.main.name
    error_message = "The autoscaler needs metrics."
  }
}

run "rights" {
  assert {
    condition     = toset([for attached in aws_iam_role_policy_attachment.cluster : attached.policy_arn]) == toset([for name in ["AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"] : "arn:aws:iam::aws:policy/${name}"])
    error_message = "The cluster has what Auto Mode asks for, and nothing else."
  }
  assert {
    condition     = toset([for attached in aws_iam_role_policy_attachment.node : attached.policy_arn]) == toset(["arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"])
    error_message = "Nodes read the add-on's image, and nothing else."
  }
  assert {
    condition     = [for entry in aws_eks_access_entry.deployer : "${entry.principal_arn} ${join(",", entry.kubernetes_groups)}"] == ["arn:aws:iam::123456789012:role/book-shop-prod book-shop-deployers"]
    error_message = "Who deploys is in the group that the namespace's roles are bound to."
  }
  assert {
    condition     = [for policy in aws_iam_role_policy.deployer : "${policy.role} ${join(",", jsondecode(policy.policy).Statement[*].Action[0])} ${jsondecode(policy.policy).Statement[0].Resource}"] == ["book-shop-prod eks:DescribeCluster arn:aws:eks:eu-central-1:123456789012:cluster/book-shop"]
    error_message = "In AWS who deploys may find this cluster, and no more."
  }
  assert {
    condition     = jsondecode(aws_iam_role.cluster.assume_role_policy).Statement[0].Principal.Service == "eks.amazonaws.com" && jsondecode(aws_iam_role.node.assume_role_policy).Statement[0].Principal.Service == "ec2.amazonaws.com"
    error_message = "EKS takes the cluster's role, EC2 the nodes'."
  }
}

run "nobody_deploys_unless_named" {
  variables {
    deployer_role_arns = []
  }
  assert {
    condition     = length(aws_eks_access_entry.deployer) == 0 && length(aws_iam_role_policy.deployer) == 0
    error_message = "No role gets in that was not named."
  }
}

run "database" {
  assert {
    condition     = aws_db_instance.main.publicly_accessible == false && aws_db_instance.main.storage_encrypted && aws_db_instance.main.db_subnet_group_name == aws_db_subnet_group.main.name
    error_message = "The database has no public address and an encrypted disk."
  }
  assert {
    condition     = toset(aws_db_subnet_group.main.subnet_ids) == toset([aws_subnet.all["database-eu-central-1a"].id, aws_subnet.all["database-eu-central-1b"].id])
    error_message = "It lies in the subnets that have no way out."
  }
  assert {
    condition     = aws_db_instance.main.manage_master_user_password && aws_db_instance.main.password == null
    error_message = "Secrets Manager makes the administrator's password: no state file has it."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database.referenced_security_group_id == "sg-0fedcba9876543210" && aws_vpc_security_group_ingress_rule.database.security_group_id == aws_security_group.database.id && aws_vpc_security_group_ingress_rule.database.from_port == 5432 && aws_vpc_security_group_ingress_rule.database.to_port == 5432 && aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null
    error_message = "In: PostgreSQL, from the cluster's nodes."
  }
  assert {
    condition     = aws_db_instance.main.engine == "postgres" && aws_db_instance.main.engine_version == "16"
    error_message = "PostgreSQL of the host's version: the way back is by a dump."
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection && !aws_db_instance.main.skip_final_snapshot && aws_db_instance.main.backup_retention_period == 14 && aws_db_instance.main.multi_az
    error_message = "Nothing deletes it by mistake, and a second one stands by."
  }
  assert {
    condition     = output.database.secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds" && output.cluster.name == "book-shop"
    error_message = "The outputs say where it is."
  }
}
