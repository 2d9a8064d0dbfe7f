# What wakes somebody: answers that are errors, servers that are not ready, answers that are late.

locals {
  alarmed = toset(var.pin.release == null ? [] : ["release"])
  watched = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = try(aws_lb_target_group.server[local.key].arn_suffix, "")
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.alarmed

  alarm_name          = "${local.prefix}-errors"
  alarm_description   = "More than ${var.alarms.error_percent}% of the answers of ${local.url} are 5xx."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.error_percent
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns

  metric_query {
    id          = "share"
    expression  = "100 * (FILL(server, 0) + FILL(balancer, 0)) / requests"
    label       = "5xx, percent"
    return_data = true
  }

  # The load balancer's own errors count too: nobody to send a request to is an error of ours.
  dynamic "metric_query" {
    for_each = {
      server   = "HTTPCode_Target_5XX_Count"
      balancer = "HTTPCode_ELB_5XX_Count"
      requests = "RequestCount"
    }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        period      = 60
        stat        = "Sum"
        dimensions  = { LoadBalancer = aws_lb.this.arn_suffix }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = local.alarmed

  alarm_name          = "${local.prefix}-unhealthy"
  alarm_description   = "A server behind ${local.url} has not been ready for three minutes."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  statistic           = "Maximum"
  period              = 60
  dimensions          = local.watched
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each = local.alarmed

  alarm_name          = "${local.prefix}-latency"
  alarm_description   = "One answer in a hundred of ${local.url} takes more than ${var.alarms.latency_seconds} s."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  extended_statistic  = "p99"
  period              = 60
  dimensions          = local.watched
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.latency_seconds
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
}
