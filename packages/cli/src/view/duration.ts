/** A length of time as people read it: `0.4 ms`, `38 ms`, `2.1 s`, `3 min 05 s`. */
export function showDuration(ms: number): string {
  if (ms < 0.05) return '0 ms'
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/** An age, in the unit that says enough of it: `12 s`, `4 min`, `3 h`, `29 d`. */
export function showAge(ms: number): string {
  const [size, unit] = (
    [
      [86_400_000, 'd'],
      [3_600_000, 'h'],
      [60_000, 'min'],
    ] as const
  ).find(([least]) => ms >= 2 * least) ?? [1000, 's']
  return `${Math.floor(ms / size)} ${unit}`
}
