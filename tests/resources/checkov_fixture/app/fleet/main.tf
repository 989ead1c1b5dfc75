locals {
  ports = [22, 443]
  sizes = { small = 10, large = "100" }
}

variable "zones" {
  type    = list(string)
  default = ["a", "b"]
}

module "machines" {
  source   = "./machines"
  for_each = local.sizes

  name  = "machine-${each.key}"
  size  = each.value
  ports = local.ports
  open  = each.key == "small" ? true : false
}

module "spare" {
  source = "./machines"
  count  = 2

  name  = format("spare-%s", count.index)
  size  = max(10, 20)
  ports = concat(local.ports, [8080])
  open  = length(var.zones) > 1
}

module "none" {
  source = "./machines"
  count  = var.zones == ["c"] ? 1 : 0

  name = "none"
}
