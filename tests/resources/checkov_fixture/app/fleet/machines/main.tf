variable "name" {
  type = string
}

variable "size" {
  default = 8
}

variable "ports" {
  type    = list(number)
  default = []
}

variable "open" {
  type    = bool
  default = false
}

locals {
  tags   = merge({ Name = var.name }, { Size = "${var.size}" })
  source = var.open ? "0.0.0.0/0" : "10.0.0.0/8"
}

resource "aws_security_group" "this" {
  name = "${var.name}-group"

  dynamic "ingress" {
    for_each = var.ports
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = [local.source]
    }
  }
}

resource "aws_instance" "this" {
  count         = 2
  ami           = "ami-1"
  instance_type = "t3.${var.size > 50 ? "large" : "small"}"
  monitoring    = var.open
  tags          = local.tags

  root_block_device {
    volume_size = var.size
    encrypted   = !var.open
  }
}

module "disk" {
  source = "./disk"

  for_each  = toset(["data", "log"])
  name      = each.key
  encrypted = var.open ? "false" : "true"
}

output "disks" {
  value = [for disk in module.disk : disk.id]
}
