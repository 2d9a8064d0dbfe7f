# MLflow's PostgreSQL, which speaks TLS alone (as AWS sets 15 and newer). AWS makes the password, keeps it in Secrets Manager and changes it: Terraform never sees it.

resource "aws_db_subnet_group" "mlflow" {
  for_each = local.mlflow

  name       = "${var.name}-mlflow"
  subnet_ids = local.subnet_ids.private
}

resource "aws_db_instance" "mlflow" {
  #checkov:skip=CKV_AWS_157:database.multi_az is true unless the organisation says otherwise
  #checkov:skip=CKV_AWS_161:MLflow logs in with the password that AWS keeps and changes
  #checkov:skip=CKV_AWS_293:protected is true unless the platform is only tried out
  #checkov:skip=CKV_AWS_118:the instance's own metrics are enough for a server of runs
  #checkov:skip=CKV_AWS_353:the instance's own metrics are enough for a server of runs
  #checkov:skip=CKV2_AWS_30:nobody but MLflow asks it, and a log of each query would hold what runs are called
  for_each = local.mlflow

  identifier                      = "${var.name}-mlflow"
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database.class
  allocated_storage               = var.database.storage_gb
  max_allocated_storage           = 10 * var.database.storage_gb
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.this.arn
  db_name                         = "mlflow"
  username                        = "mlflow"
  manage_master_user_password     = true
  master_user_secret_kms_key_id   = aws_kms_key.this.arn
  multi_az                        = var.database.multi_az
  db_subnet_group_name            = aws_db_subnet_group.mlflow[each.key].name
  vpc_security_group_ids          = [aws_security_group.this["database"].id]
  publicly_accessible             = false
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  deletion_protection             = var.protected
  skip_final_snapshot             = !var.protected
  final_snapshot_identifier       = var.protected ? "${var.name}-mlflow-last" : null
}
