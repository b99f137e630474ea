const SECOND = 1000
const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400 * SECOND],
  ['h', 3600 * SECOND],
  ['min', 60 * SECOND],
  ['s', SECOND],
]

/** How long something lasts, roughly: `30 d`, `5 h`, `12 s`. */
export function showAge(ms: number): string {
  const [name, unit] = UNITS.find(([, each]) => ms >= each) ?? ['s', SECOND]
  return `${Math.max(0, Math.floor(ms / unit))} ${name}`
}
