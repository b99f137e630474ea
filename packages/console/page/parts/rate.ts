/** Messages a second as they are read at a glance: `0/s`, `0.3/s`, `12/s`, `1.2k/s`; `?` where it is not known. */
export function perSecond(rate: number | null): string {
  if (rate === null) return '?/s'
  if (rate < 0.05) return '0/s'
  if (rate < 9.95) return `${rate.toFixed(1)}/s`
  return rate < 1000 ? `${Math.round(rate)}/s` : `${(rate / 1000).toFixed(1)}k/s`
}
