# What a deployment changes: its environment's servers as modules/service/aws of the generated repository makes them.
#
# By name where what is made has one that is known before, else by the tags model and environment, which the
# environment's provider gives to all that it makes. No key: the environment's logs take the platform's (kms_key_arn).

locals {
  change = {
    for environment in var.environments : environment => concat(local.changes[environment], length(var.zone_ids) == 0 ? [] : [{
      Sid      = "KeepRecord"
      Effect   = "Allow"
      Action   = ["route53:ChangeResourceRecordSets"]
      Resource = [for id in sort(tolist(var.zone_ids)) : "${local.aws}:route53:::hostedzone/${id}"]
    }])
  }

  changes = { for environment, is in {
    for name in var.environments : name => {
      prefix = "${var.name}-${name}"
      short  = "${substr(var.name, 0, 12)}-${substr(name, 0, 8)}" # of load balancers and target groups
      roles  = "${local.aws}:iam::${local.account}:role/${substr("${var.name}-${name}", 0, 24)}-*"
      tagged = { "aws:ResourceTag/model" = var.name, "aws:ResourceTag/environment" = name }
      tags   = { "aws:RequestTag/model" = var.name, "aws:RequestTag/environment" = name }
    }
    } : environment => [
    {
      Sid      = "WriteState" # and its lock beside it
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:PutObject"]
      Resource = ["${local.states}/${var.name}/${environment}.tfstate", "${local.states}/${var.name}/${environment}.tfstate.tflock"]
    },
    {
      Sid      = "EncryptState"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
    },
    {
      Sid    = "ServersByName"
      Effect = "Allow"
      Action = [
        "ecs:CreateCluster", "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:RegisterTaskDefinition",
        "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateCluster", "ecs:UpdateClusterSettings", "ecs:UpdateService",
        "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DisassociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateRule", "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
      ]
      Resource = concat(
        [for kind in ["cluster/${is.prefix}", "service/${is.prefix}/*", "task-definition/${is.prefix}-*:*"] : "${local.aws}:ecs:${local.here}:${kind}"],
        [for kind in ["loadbalancer", "listener", "listener-rule"] : "${local.aws}:elasticloadbalancing:${local.here}:${kind}/app/${is.short}-*"],
        [
          "${local.aws}:elasticloadbalancing:${local.here}:targetgroup/${is.short}-*",
          "${local.aws}:cloudwatch:${local.here}:alarm:${is.prefix}-*",
          "${local.aws}:logs:${local.here}:log-group:/mergeline/${is.prefix}*",
        ],
      )
    },
    {
      Sid      = "WithoutName" # the action knows no resource
      Effect   = "Allow"
      Action   = ["ecs:DeregisterTaskDefinition"]
      Resource = ["*"]
    },
    {
      Sid    = "Scale"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
      ]
      Resource = ["${local.aws}:application-autoscaling:${local.here}:scalable-target/*"]
    },
    {
      Sid       = "MakeByTag"
      Effect    = "Allow"
      Action    = ["ec2:CreateSecurityGroup"]
      Resource  = ["${local.aws}:ec2:${local.here}:security-group/*"]
      Condition = { StringEquals = is.tags }
    },
    {
      Sid      = "GroupsAreInAVpc"
      Effect   = "Allow"
      Action   = ["ec2:CreateSecurityGroup"]
      Resource = ["${local.aws}:ec2:${local.here}:vpc/*"]
    },
    {
      Sid       = "TagWhatIsMade"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${local.aws}:ec2:${local.here}:security-group/*", "${local.aws}:ec2:${local.here}:security-group-rule/*"]
      Condition = { StringEquals = { "ec2:CreateAction" = ["AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup"] } }
    },
    {
      Sid    = "ChangeByTag"
      Effect = "Allow"
      Action = [
        "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:ModifySecurityGroupRules",
        "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
      ]
      Resource  = ["${local.aws}:ec2:${local.here}:security-group/*"]
      Condition = { StringEquals = is.tagged }
    },
    {
      Sid      = "RulesOfGroups" # the group itself must be this environment's, see above
      Effect   = "Allow"
      Action   = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
      Resource = ["${local.aws}:ec2:${local.here}:security-group-rule/*"]
    },
    {
      Sid       = "MakeRolesWithinTheBoundary"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = [is.roles]
      Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
    },
    {
      Sid      = "ChangeRoles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
      Resource = [is.roles]
    },
    {
      Sid       = "GiveRolesToServers"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [is.roles]
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    },
    {
      Sid       = "LetServicesHelp"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["${local.aws}:iam::${local.account}:role/aws-service-role/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com"] } }
    },
  ] }
}
