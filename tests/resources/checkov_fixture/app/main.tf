variable "acl" {
  default = "public-read"
}

resource "aws_s3_bucket" "logs" {
  bucket = "logs"
  acl    = var.acl
}

resource "aws_s3_bucket" "accepted" {
  # checkov:skip=CKV_AWS_18: access logs are kept elsewhere
  bucket = "accepted"
}

module "network" {
  source = "./network"
  cidr   = "0.0.0.0/0"
}
