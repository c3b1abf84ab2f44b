locals {
  # EKS Auto Mode creates nodes, disks, load balancers and addresses with these policies.
  cluster_policies = ["AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"]
  # The shop's image is public. The second policy allows nodes to pull the add-on's image.
  node_policies = ["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"]
}

resource "aws_eks_cluster" "main" {
  #checkov:skip=CKV_AWS_39:GitHub's runners have no fixed addresses; api_cidrs can restrict access
  #checkov:skip=CKV_AWS_38:GitHub's runners have no fixed addresses; api_cidrs can restrict access
  #checkov:skip=CKV_AWS_37:these logs show who did what; the others have a price per GB
  #checkov:skip=CKV_AWS_339:checkov's list ends before this version; make infra-cluster warns before support ends
  #checkov:skip=CKV_AWS_58:since Kubernetes 1.28, EKS encrypts the API server's data by default
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  enabled_cluster_log_types     = ["audit", "authenticator"]
  bootstrap_self_managed_addons = false # Auto Mode includes them

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true # for make cluster-setup
  }

  vpc_config {
    subnet_ids              = [for key, subnet in local.subnets : aws_subnet.all[key].id if subnet.network == "nodes"]
    endpoint_private_access = true
    endpoint_public_access  = true
    public_access_cidrs     = var.api_cidrs
  }

  # Auto Mode consists of the next three blocks.
  compute_config {
    enabled       = true
    node_pools    = ["general-purpose"]
    node_role_arn = aws_iam_role.node.arn
  }
  kubernetes_network_config {
    elastic_load_balancing { enabled = true }
  }
  storage_config {
    block_storage { enabled = true }
  }

  upgrade_policy { support_type = "STANDARD" } # extended support costs six times as much

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_iam_role_policy_attachment.node, aws_route.nodes]
}

# The HorizontalPodAutoscaler reads its metrics.
resource "aws_eks_addon" "metrics_server" {
  cluster_name = aws_eks_cluster.main.name
  addon_name   = "metrics-server"
}

resource "aws_iam_role" "cluster" {
  name = "${var.name}-cluster"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset(local.cluster_policies)

  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_role" "node" {
  name = "${var.name}-node"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(local.node_policies)

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# A deployer is a member of the group to which scripts/cluster/k8s/deploys.yaml gives its rights.
resource "aws_eks_access_entry" "deployer" {
  for_each = toset(var.deployer_role_arns)

  cluster_name      = aws_eks_cluster.main.name
  principal_arn     = each.key
  kubernetes_groups = ["${local.application.name}-deployers"]
}

resource "aws_iam_role_policy" "deployer" {
  for_each = toset(var.deployer_role_arns)

  name = "cluster"
  role = split("/", each.key)[1]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "FindCluster"
      Effect   = "Allow"
      Action   = ["eks:DescribeCluster"]
      Resource = aws_eks_cluster.main.arn
    }]
  })
}
