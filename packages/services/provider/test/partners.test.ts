import { expect, test } from 'vitest'
import { maasProvider } from '../src/maas.ts'
import { senninhaProvider } from '../src/senninha.ts'

const city = { name: 'São Luís', state: 'Maranhão', country: 'Brazil', geonameId: 3_388_368 }
const center = { centerId: 'c1', name: 'CD "Norte" 🏭', city, address: 'Rua 1', capacity: 0 }

test('Senninha gets the centre with its city as it was written, and a capacity of 0 too', () => {
  expect(senninhaProvider(center)).toStrictEqual({
    centerId: 'c1',
    name: 'CD "Norte" 🏭',
    city: { name: 'São Luís', state: 'Maranhão', country: 'Brazil' },
    capacity: 0,
  })
})

test('MaaS gets the centre in its own words', () => {
  expect(maasProvider(center)).toStrictEqual({
    externalId: 'c1',
    displayName: 'CD "Norte" 🏭',
    location: { city: 'São Luís', state: 'Maranhão', country: 'Brazil' },
    capacity: 0,
  })
})

test('a centre without capacity has none at the partners', () => {
  const { capacity: _, ...bare } = center
  expect(senninhaProvider(bare)).not.toHaveProperty('capacity')
  expect(maasProvider(bare)).not.toHaveProperty('capacity')
})
