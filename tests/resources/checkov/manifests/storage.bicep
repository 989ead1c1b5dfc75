// Uploads and keys
param location string = 'westeurope'

resource uploads 'Microsoft.Storage/storageAccounts@2021-02-01' = {
  name: 'uploads'
  location: location
  properties: {
    supportsHttpsTrafficOnly: false
  }
}

resource keys 'Microsoft.KeyVault/vaults@2021-06-01-preview' = {
  name: 'keys'
  location: location
  properties: {
    enableSoftDelete: false
  }
}
