import { expect, test } from 'vitest'
import { brazilianCities, mostPopulous, type Place } from '../../src/demo/cities.ts'

const place = (over: Partial<Place>): Place => ({
  cityId: 1,
  name: 'X',
  country: 'BR',
  featureCode: 'PPL',
  adminCode: '27',
  population: 10,
  ...over,
})

test('the largest come first and ties are settled by number, so that every run takes the same cities', () => {
  const cities = mostPopulous(
    [place({ cityId: 3, population: 5 }), place({ cityId: 2, population: 9 }), place({ cityId: 1, population: 5 })],
    2,
  )
  expect(cities.map((city) => city.geonameId)).toEqual([2, 1])
})

test('other countries and sections of cities are left out', () => {
  const places = [place({ country: 'PT' }), place({ featureCode: 'PPLX' }), place({ cityId: 7 })]
  expect(mostPopulous(places, 1).map((city) => city.geonameId)).toEqual([7])
})

test('more centres than there are cities is refused with both numbers', () => {
  expect(() => mostPopulous([place({})], 2)).toThrow('2 centres asked for, but the data has only 1 city of Brazil')
})

test('the data that is shipped gives 300 different cities with two-letter states, São Paulo first', async () => {
  const cities = await brazilianCities(300)
  expect(cities[0]).toMatchObject({ name: 'São Paulo', state: 'SP', country: 'BR', geonameId: 3448439 })
  expect(new Set(cities.map((city) => city.geonameId)).size).toBe(300)
  expect(new Set(cities.map((city) => city.state)).size).toBeGreaterThan(20)
  expect(cities.every((city) => /^[A-Z]{2}$/.test(city.state))).toBe(true)
})
