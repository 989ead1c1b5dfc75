# Uploads and who may read them
variable "name" {
  default = "uploads"
}

resource "aws_s3_bucket" "uploads" {
  bucket = var.name
}

resource "aws_security_group" "reader" {
  name        = "reader"
  description = "who may read"

  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_db_instance" "records" {
  instance_class      = "db.t3.micro"
  engine              = "postgres"
  publicly_accessible = true
  storage_encrypted   = false
}
