resource "aws_security_group" "service" {
  name        = "infraauditai"
  description = "The service, from inside the network"
  vpc_id      = var.vpc_id

  ingress {
    description = "The API"
    from_port   = 8080
    to_port     = 8080
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
