/** A length of time as people read it: `0.4 ms`, `38 ms`, `2.1 s`, `3 min 05 s`. */
export function showDuration(ms: number): string {
  if (ms < 0.05) return '0 ms'
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}
