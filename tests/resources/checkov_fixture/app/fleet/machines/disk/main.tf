variable "name" {}

variable "encrypted" {
  default = "true"
}

resource "aws_ebs_volume" "this" {
  availability_zone = "eu-central-1a"
  size              = 1
  encrypted         = tobool(var.encrypted)
  tags              = { Name = var.name }
}

output "id" {
  value = aws_ebs_volume.this.id
}
