/** The part of an address behind `?`, without what is empty. */
export function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const known = Object.entries(values).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(known.map(([name, value]) => [name, String(value)])).toString()
  return text === '' ? '' : `?${text}`
}

/** Only these of an address's values. */
export function pick<Name extends string>(
  query: Readonly<Record<string, string>>,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found = names.flatMap((name) => (query[name] ? [[name, query[name]] as const] : []))
  return Object.fromEntries(found) as Partial<Record<Name, string>>
}
