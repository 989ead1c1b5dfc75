"""InfraAuditAI: findings in an uploaded manifest or Terraform file."""
