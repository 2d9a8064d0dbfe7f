# Servers between replicas.min and replicas.max: as many as keep both the processor and the requests at their marks.

resource "aws_appautoscaling_target" "server" {
  for_each = local.services

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.server[each.key].name}"
  min_capacity       = var.replicas.min
  max_capacity       = var.replicas.max
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.services

  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.server[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.server[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.server[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.scaling.cpu_percent
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  for_each = local.services

  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.server[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.server[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.server[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.scaling.requests_per_minute
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.this.arn_suffix}/${aws_lb_target_group.server[each.key].arn_suffix}"
    }
  }
}
