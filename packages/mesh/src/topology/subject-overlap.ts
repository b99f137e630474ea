/** Whether some subject matches both patterns. NATS refuses two streams, or two filters of one consumer, where it does. */
export function overlap(a: string, b: string): boolean {
  const left = a.split('.')
  const right = b.split('.')
  for (let index = 0; ; index++) {
    const one = left[index]
    const other = right[index]
    if (one === undefined || other === undefined) return one === other
    if (one === '>' || other === '>') return true
    if (one !== '*' && other !== '*' && one !== other) return false
  }
}

/** Whether every subject that matches `inner` matches `outer` too. */
export function contains(outer: string, inner: string): boolean {
  const wide = outer.split('.')
  const narrow = inner.split('.')
  for (const [index, token] of wide.entries()) {
    const have = narrow[index]
    if (have === undefined) return false
    if (token === '>') return true
    if (have === '>' || (token !== '*' && token !== have)) return false
  }
  return wide.length === narrow.length
}
